"""What the steps of a night would do, and how much: told without Spark, and without a write.

Files are compared by name, size and time, lines by their ids, steps by their states: those figures
are exact. What a picture holds is known once it is read, so what follows from it is 'at most'.
"""

from dataclasses import dataclass, field

from fashionrec import duck
from fashionrec.cli import Context
from fashionrec.creation import check_folder, is_ours
from fashionrec.embed.embed import require_complete
from fashionrec.ingest.forecast import IngestForecast, forecast_ingest
from fashionrec.lock import WHOLE, holders
from fashionrec.models import current_version, wanted_model
from fashionrec.neighbours.state import state_of as lists_state
from fashionrec.neighbours.state import why_anew
from fashionrec.publish import require_lists_of
from fashionrec.publish import state_of as published_state
from fashionrec.read import TableReader
from fashionrec.tables import EMBEDDINGS, HELD, IMAGES, NEIGHBOURS, NIGHTLY, RECOMMENDATIONS

NIGHT = ("ingest", "embed", "neighbours", "publish")
_MISSING = """
    WITH done AS (
        SELECT product_id, image_sha256 AS sha256 FROM embeddings WHERE model_version = ?
    ), missing AS (
        SELECT product_id, sha256 FROM images ANTI JOIN done USING (product_id, sha256)
    )
    SELECT
        (SELECT count(*) FROM images),
        (SELECT count(*) FROM missing),
        (SELECT count(DISTINCT sha256) FROM missing ANTI JOIN done USING (sha256)),
        (SELECT count(*) FROM done ANTI JOIN images USING (product_id, sha256))
"""


@dataclass
class Forecast:
    """What was found so far: lines for people, counts for programs.

    `changing`: a step before this one writes, or may write, what this one reads; `pictures`: at
    most so many more may come to be known; `model_version`: what `embed` would use.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    changing: bool = False
    pictures: int = 0
    model_version: str | None = None

    def tell(self, label: str, text: str) -> None:
        """Add a line."""
        self.lines.append((label, text))

    def count(self, step: str, **counts: int) -> None:
        """Add counts of a step."""
        self.counts |= {f"{step}.{what}": count for what, count in counts.items()}


def dry_run(context: Context, *steps: str) -> None:
    """Say on stdout what the steps would do.

    Raises:
        FashionrecError: what the job would fail or be refused for, where that is known beforehand.
    """
    reader, forecast = TableReader(context.warehouse), Forecast()
    _look_at_warehouse(reader, context, forecast)
    for step in steps:
        _STEPS[step](reader, context, forecast)
    if context.options.json:
        context.outcome.record |= {"status": "dry run", "counts": forecast.counts}
        return
    print("A dry run: nothing is written\n")
    for label, text in forecast.lines:
        print(f"  {label:<16}{text}")


def _look_at_warehouse(reader: TableReader, context: Context, forecast: Forecast) -> None:
    check_folder(reader.warehouse)
    made = [is_ours(reader.path(table), table) for table in NIGHTLY]
    forecast.tell("warehouse", reader.warehouse if any(made) else f"{reader.warehouse}, to be made")
    holder = holders(context.warehouse, context.config.lock).get(WHOLE)
    if holder is not None:
        told = f"run {holder.run_id} on {holder.host} (process {holder.pid}) holds it now"
        forecast.tell("", told)


def _ingest(reader: TableReader, context: Context, forecast: Forecast) -> None:
    folder, options = context.catalogue or context.sample, context.options
    if context.catalogue is None and not (folder / "styles.csv").exists():
        forecast.pictures = context.config.sample.products
        forecast.tell("ingest", f"a sample of {forecast.pictures:,} products, drawn into {folder}")
        forecast.count("ingest", drawn=forecast.pictures)
    else:
        found = forecast_ingest(
            reader,
            folder,
            context.config.ingest,
            expectations=context.config.expectations,
            verify=options.verify,
            allow_removal=options.allow_removal,
        )
        forecast.tell("catalogue", str(folder))
        _tell_ingest(found, forecast)
        forecast.pictures = found.pictures
        if not found.changing:
            return
    forecast.changing = True


def _tell_ingest(found: IngestForecast, forecast: Forecast) -> None:
    files = found.files
    kinds = {"new": files.new, "changed": files.changed, "gone": files.gone}
    forecast.tell(
        "lines",
        f"{found.lines:,}; {found.products:,} products, {found.new:,} new, {found.gone:,} gone",
    )
    forecast.tell("image entries", f"{files.image_entries:,}")
    forecast.tell("files", ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()))
    links = f", and at most {found.links:,} links of images.csv" if found.links else ""
    reads = f"reads {files.read:,} files, {files.bytes / 1e6:,.1f} MB{links}"
    forecast.tell("ingest", reads if found.changing else "nothing to do")
    forecast.count(
        "ingest",
        lines=found.lines,
        products=found.products,
        products_new=found.new,
        products_gone=found.gone,
        image_entries=files.image_entries,
        **{f"files_{kind}": count for kind, count in kinds.items()},
        files_read=files.read,
        bytes_read=files.bytes,
        links_read_at_most=found.links,
    )


def _embed(reader: TableReader, context: Context, forecast: Forecast) -> None:
    version = wanted_model(reader, context.config.model).version
    forecast.model_version = version
    with duck.questions(reader, IMAGES, EMBEDDINGS) as tables:
        ((pictures, missing, unseen, removed),) = tables.execute(_MISSING, [version]).fetchall()
    forecast.count(
        "embed",
        missing=missing,
        computed=unseen,
        removed=removed,
        more_at_most=forecast.pictures,
    )
    text = f"{missing:,} of {pictures:,} pictures lack an embedding of {version}"
    if missing:
        text += f", {unseen:,} distinct ones to compute"
    if forecast.pictures:
        text += f"; at most {forecast.pictures:,} more, from what is read"
    forecast.tell("embed", text if missing or forecast.changing else "nothing to do")
    forecast.changing |= missing > 0 or removed > 0


def _neighbours(reader: TableReader, context: Context, forecast: Forecast) -> None:
    settings, version = context.config.neighbours, forecast.model_version
    if version is None:
        version = current_version(reader)
        require_complete(reader, version)
    last = reader.state(NEIGHBOURS)
    state = lists_state(reader, version, settings) if reader.exists(EMBEDDINGS) else {}
    reason = why_anew(reader, last, state)
    to_do = forecast.changing or last != state
    forecast.count("neighbours", to_do=int(to_do), rebuilt=int(to_do and reason is not None))
    if not to_do:
        text = "nothing to do: embeddings and products are unchanged"
    elif reason is not None:
        text = f"makes all lists anew: {reason}"
    else:
        text = "searches the lists that a change reaches, if there is one"
    forecast.tell("neighbours", text)
    forecast.changing |= to_do


def _publish(reader: TableReader, context: Context, forecast: Forecast) -> None:
    version = forecast.model_version or current_version(reader)
    last = reader.state(RECOMMENDATIONS)
    resume = getattr(context.options, "resume", False)  # an option of `publish` alone
    to_do = forecast.changing or last != published_state(reader, version)
    if HELD in last and not resume:
        to_do, text = False, f"nothing: {last[HELD]} was rolled back to, until publish --resume"
    elif not to_do:
        text = "nothing to do"
    else:
        if not forecast.changing:
            require_lists_of(reader, version)
        text = "audits all lists, then writes the rows that differ, if any do, in one commit"
    forecast.count("publish", to_do=int(to_do))
    forecast.tell("publish", text)


_STEPS = {"ingest": _ingest, "embed": _embed, "neighbours": _neighbours, "publish": _publish}
