"""The application: who may call, what becomes of errors, and the routes of all matters."""

import secrets

from quart import Response, jsonify, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from loopback.answers import Refused
from loopback.control import calls, channels, chats, faults, groups, messages, phones, profiles
from loopback.control.problems import Problem
from loopback.graph import GraphError
from loopback.network import Network

__all__ = ["control"]


def control(network: Network, token: str) -> QuartTrio:
    """The application; callers must show the token."""
    app = QuartTrio("loopback")
    app.json.sort_keys = False  # type: ignore[attr-defined]

    @app.before_request
    async def authorise() -> None:
        # Answered before its body has come, a request would leave its connection to hang with the next one.
        await request.get_data()
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), token.encode()):
            raise Problem(401, "unauthorized", "The token is missing or wrong")

    @app.after_request
    async def commit(response: Response) -> Response:
        network.store.commit()
        return response

    @app.errorhandler(Problem)
    async def refuse(problem: Problem) -> Response:
        response = jsonify(problem.as_json())
        response.status_code = problem.status
        response.content_type = "application/problem+json"
        return response

    @app.errorhandler(Refused)
    async def refused_by_network(refused: Refused) -> Response:
        return await refuse(Problem(409, "refused", "The network refuses this", str(refused)))

    @app.errorhandler(GraphError)
    async def refused_query(refused: GraphError) -> Response:
        return await refuse(Problem(409, "refused", "The network refuses this", f"{refused.code} {refused}"))

    @app.errorhandler(LookupError)
    async def missing(missing: LookupError) -> Response:
        return await refuse(Problem(404, "not-found", "There is nothing like that", str(missing)))

    @app.errorhandler(HTTPException)
    async def refuse_http(exception: HTTPException) -> Response:
        title = exception.name
        return await refuse(Problem(exception.code or 500, title.lower().replace(" ", "-"), title))

    for matter in (phones, messages, chats, groups, profiles, channels, calls, faults):
        app.register_blueprint(matter.routes(network))
    return app
