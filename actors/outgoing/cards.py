"""Places, people and dates, each shown as a card: locations, contacts, invitations to an event."""

from typing import Any

from actors.outgoing.content import Contacts, EventInvitation, Location
from actors.whatsapp.proto import e2e


def location_message(content: Location) -> Any:
    """A pin on the map."""
    message = e2e.Message()
    _put_location(message.locationMessage, content)
    return message


def _put_location(place: Any, content: Location) -> None:
    place.degreesLatitude = content.latitude
    place.degreesLongitude = content.longitude
    for name, value in (("name", content.name), ("address", content.address), ("URL", content.url)):
        if value is not None:
            setattr(place, name, value)


def contacts_message(content: Contacts) -> Any:
    """One address card, or several together."""
    if len(content.cards) == 1:
        (name, vcard) = content.cards[0]
        return e2e.Message(contactMessage=e2e.ContactMessage(displayName=name, vcard=vcard))
    message = e2e.Message()
    several = message.contactsArrayMessage
    several.displayName = f"{len(content.cards)} contacts"
    for name, vcard in content.cards:
        several.contacts.add(displayName=name, vcard=vcard)
    return message


def event_message(content: EventInvitation) -> Any:
    """An invitation to say whether one comes. Times are whole seconds."""
    message = e2e.Message()
    event = message.eventMessage
    event.name = content.name
    event.startTime = int(content.starts_at.timestamp())
    event.extraGuestsAllowed = content.extra_guests
    event.isCanceled = content.canceled
    if content.description is not None:
        event.description = content.description
    if content.ends_at is not None:
        event.endTime = int(content.ends_at.timestamp())
    if content.location is not None:
        _put_location(event.location, content.location)
    if content.join_link is not None:
        event.joinLink = content.join_link
    return message
