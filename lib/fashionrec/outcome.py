"""How a job ended, for those who watch it from afar: a line of JSON, and a webhook."""

import json
import logging
import socket

from fashionrec.errors import FetchError
from fashionrec.fetch import post
from fashionrec.settings import NotifySettings
from fashionrec.tables import RUNS, Row

log = logging.getLogger(__name__)

_MAPS = [column.name for column in RUNS.columns if column.type.startswith("MAP")]


class Outcome:
    """The record of a job's run once it has ended: a row of `runs`, or what takes its place.

    `notify` is set as soon as the settings are known, where the job is a run: a look-up that finds
    nothing, or a dry run, is told to nobody.
    """

    def __init__(self, job: str, run_id: str | None) -> None:
        self.record: Row = dict.fromkeys(RUNS.names) | {name: {} for name in _MAPS}
        self.record |= {"run_id": run_id, "job": job}
        self.notify: NotifySettings | None = None

    def ended(self, record: Row) -> None:
        """Take note of the job's own run, or of a killed one that it has found."""
        if record["status"] != "abandoned":
            self.record = record
        if record["status"] != "succeeded" and self.notify is not None:
            notify(self.notify, record)

    def failed(self, status: str, message: str) -> None:
        """Take note of a failure, unless the record of the run tells of it already."""
        if self.record["status"] in (None, "succeeded"):
            self.ended(self.record | {"status": status, "message": message})

    def as_json(self) -> str:
        """Return the record as a line of JSON."""
        return json.dumps(self.record, default=str)


def notify(settings: NotifySettings, record: Row) -> None:
    """Tell the webhook, if there is one, of a run that did not succeed. It never raises.

    `text` is the name under which chats look for what to show.
    """
    if not settings.webhook:
        return
    told = {name: record[name] for name in ("run_id", "job", "status", "message")}
    told["host"] = socket.gethostname()
    told["text"] = "fashionrec {job} {status} on {host}: {message}".format_map(told)
    try:
        post(settings.webhook, json.dumps(told).encode(), settings.max_seconds)
    except FetchError as error:  # which never tells the address: it may hold a token
        log.warning("notify: the webhook was not told: %s", error)
