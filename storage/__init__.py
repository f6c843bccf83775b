"""The database: what is written, in which order, and how it is found again.

    gateway ── Write ──> Writer ── one transaction a batch ──> PostgreSQL
                           │                                       ^
                           └── Committed(events) ──> publish       └── Reads, over a pool of connections

The writer is the only one who writes, but for files (`MediaStore`) and the end of what is old (`Expiry`).
PostgreSQL runs elsewhere, or embedded beside us.
"""

from storage.embedded import embedded_postgres
from storage.errors import (
    BadQuery,
    DatabaseUnavailable,
    EventsExpired,
    MigrationError,
    ServerError,
    StorageError,
    WriteRefused,
)
from storage.expiry import Expiry
from storage.ids import new_id
from storage.interrupted import mark_interrupted
from storage.migrate import migrate
from storage.opening import Storage, open_storage
from storage.pool import Pool
from storage.reads import Reads
from storage.rows import (
    AuditEntry,
    Delivery,
    DeliveryStatus,
    Desired,
    Event,
    Json,
    Key,
    Message,
    MessageStatus,
    Page,
    Role,
    Session,
    SignIn,
    Sink,
    Stretch,
    User,
    Webhook,
    WebhookFormat,
    now,
)
from storage.writer import Writer, WriterStats
from storage.writes import (
    Append,
    Committed,
    Delete,
    Insert,
    NewEvent,
    StoreDelivery,
    StoreHeard,
    StoreMessage,
    TellLost,
    TrimDeliveries,
    Update,
    UpdateMessage,
    Write,
    Written,
)

__all__ = [
    "Append",
    "AuditEntry",
    "BadQuery",
    "Committed",
    "DatabaseUnavailable",
    "Delete",
    "Delivery",
    "DeliveryStatus",
    "Desired",
    "Event",
    "EventsExpired",
    "Expiry",
    "Insert",
    "Json",
    "Key",
    "Message",
    "MessageStatus",
    "MigrationError",
    "NewEvent",
    "Page",
    "Pool",
    "Reads",
    "Role",
    "ServerError",
    "Session",
    "SignIn",
    "Sink",
    "Storage",
    "StorageError",
    "StoreDelivery",
    "StoreHeard",
    "StoreMessage",
    "Stretch",
    "TellLost",
    "TrimDeliveries",
    "Update",
    "UpdateMessage",
    "User",
    "Webhook",
    "WebhookFormat",
    "Write",
    "WriteRefused",
    "Writer",
    "WriterStats",
    "Written",
    "embedded_postgres",
    "mark_interrupted",
    "migrate",
    "new_id",
    "now",
    "open_storage",
]
