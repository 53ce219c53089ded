"""Every table's name, columns with comments and units, and key: nobody retypes a column.

Types are Spark SQL's. README.md explains the tables; `creation` makes them from here.
"""

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]  # of a table, on the driver

# Each table records it; it grows with a change that earlier versions of the package must not touch.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Column:
    """A column: name, Spark SQL type, and a comment that gives meaning and unit."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """A Delta table of the warehouse; `key` is unique and never null.

    Every row fulfils the `checks`, names and SQL: audits see to ours, and Delta refuses others'.
    Of an `internal` one only a night's own steps need know which rows a commit changed.
    """

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rows_per_file: int = 1_000_000
    internal: bool = False
    checks: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]


def _columns(text: str) -> tuple[Column, ...]:
    """Read one column per line: name, type, comment."""
    lines = (line.split(maxsplit=2) for line in text.strip().splitlines())
    return tuple(Column(name, kind, comment) for name, kind, comment in lines)


# What styles/ID.json adds to a product.
DETAILS = _columns("""
    price            DOUBLE  list price, in the catalogue's currency (styles/ID.json)
    discounted_price DOUBLE  price after discount, in the catalogue's currency (styles/ID.json)
    brand            STRING  brand name (styles/ID.json)
    age_group        STRING  such as Adults-Men (styles/ID.json)
    fashion_type     STRING  such as Core or Fashion (styles/ID.json)
    description      STRING  the product's text, HTML as found (styles/ID.json)
""")

PRODUCTS = Table(
    "products",
    "The catalogue's products: one row per id, from the last good line that has it",
    ("product_id",),
    _columns("""
    product_id           BIGINT  the catalogue's id
    gender               STRING  such as Men, Women, Unisex
    master_category      STRING  the broadest category, such as Apparel
    sub_category         STRING  such as Topwear
    article_type         STRING  the finest category, such as Tshirts
    base_colour          STRING  main colour
    season               STRING  season of the collection
    year                 INT     year of the collection; null where the catalogue's is unreadable
    usage                STRING  such as Casual, Formal, Sports
    product_display_name STRING  the name that shoppers see, commas included
    image_sha256         STRING  SHA-256 of the product's picture; null: no usable picture
    """)
    + DETAILS,
)

IMAGES = Table(
    "images",
    "The picture of each product that has a usable one",
    ("product_id",),
    _columns("""
    product_id BIGINT  product
    sha256     STRING  SHA-256 of content, hexadecimal
    content    BINARY  the file's bytes as found
    format     STRING  JPEG, PNG or WEBP
    width      INT     pixels
    height     INT     pixels
    mode       STRING  Pillow's mode as found: RGB, L (greyscale), CMYK, P, RGBA, ...
    """),
    # A MERGE rewrites whole files, and a file is the least that a task of `embed` reads.
    rows_per_file=1_000,
)

REJECTS = Table(
    "rejects",
    "Everything of the catalogue, as it stands, that could not be used, with the reason",
    ("source", "position"),
    _columns("""
    run_id   STRING  run that first saw it
    source   STRING  styles.csv (a line), cells (a value, now null), images, images.csv, styles.json
    position STRING  line number, line:column, or the path below the catalogue (TAR!MEMBER)
    raw      STRING  the text or link as found; null for pictures
    reason   STRING  why it could not be used
    """),
)

VIOLATIONS = Table(
    "violations",
    "The products of the catalogue, as it stands, that fail what conf expects of them",
    ("expectation", "product_id"),
    _columns("""
    run_id      STRING  run that first saw it
    expectation STRING  its name in conf/expectations.toml, or in a file of one's own
    product_id  BIGINT  product
    holds       STRING  the condition that it fails
    found       MAP<STRING,STRING>  its values of the columns that the condition names
    """),
)

FILES = Table(
    "files",
    "Every file of the catalogue and what its examination found, so that it is read only once",
    ("path",),
    _columns("""
    path       STRING     path below the catalogue; TAR!MEMBER in a tar shard, images.csv!ID!LINK
    kind       STRING     image, link, or the file's own name: styles.csv, images.csv, styles.json
    product_id BIGINT     the product that the file's name gives; null: the name is no product id
    size       BIGINT     bytes; 0 for a URL
    mtime      TIMESTAMP  modification time; of the whole tar for a member; 1970 for a URL
    checks     STRING     the limits it was examined under; other limits examine it again
    sha256     STRING     SHA-256 of the content, hexadecimal; null where it was not read
    problem    STRING     why it cannot be used; null: it can
    facts      MAP<STRING,STRING>  what was found: format, width, ... or price, brand, ...
    """),
    internal=True,
)

MODELS = Table(
    "models",
    "The model versions that this warehouse has used, and which one is current",
    ("model_version",),
    _columns("""
    model_version STRING     NAME-HASH over weights, architecture, preprocessing and classes
    path          STRING     model folder (relative: below the project's) or torchvision:WEIGHTS
    current       BOOLEAN    whether embed and neighbours use it
    promoted_at   TIMESTAMP  when it became current
    metrics       MAP<STRING,DOUBLE>  the figures of its card
    """),
)

EMBEDDINGS = Table(
    "embeddings",
    "What a model version makes of each picture",
    ("product_id", "model_version"),
    _columns("""
    product_id             BIGINT   product
    model_version          STRING   model version
    image_sha256           STRING   the picture it was computed from
    embedding              ARRAY<FLOAT>  the pooling layer's numbers, scaled to unit length
    predicted_article_type STRING   most probable class; null: the model has no classifier
    predicted_probability  FLOAT    its probability, 0 to 1
    predicted_accepted     BOOLEAN  probability reaches the model's threshold; null: it has none
    """),
)

NEIGHBOURS = Table(
    "neighbours",
    "The most similar products of each product, by list",
    ("list", "product_id", "rank"),
    _columns("""
    list          STRING  similar: nothing but looks; others: see neighbours.lists
    product_id    BIGINT  product
    rank          INT     from 1, the most similar
    neighbour_id  BIGINT  the similar product
    similarity    FLOAT   cosine of the two embeddings, -1 to 1
    model_version STRING  model version that made the embeddings
    """),
    internal=True,
)

RESERVES = Table(
    "reserves",
    "Who comes next in the lists of `neighbours`: a list that lost a member need not be searched",
    NEIGHBOURS.key,
    NEIGHBOURS.columns,
    internal=True,
)

RECOMMENDATIONS = Table(
    "recommendations",
    "Published: each product's most similar products, ready to look up",
    ("list", "product_id", "rank"),
    _columns("""
    list                   STRING  similar: nothing but looks; others: see neighbours.lists
    product_id             BIGINT  product
    rank                   INT     from 1, the most similar
    neighbour_id           BIGINT  the similar product
    similarity             FLOAT   cosine of the two embeddings, -1 to 1
    product_display_name   STRING  the product's name
    gender                 STRING  the product's gender
    article_type           STRING  the product's catalogued type
    base_colour            STRING  the product's main colour
    predicted_article_type STRING  the type that the model sees in the product's picture
    neighbour_display_name STRING  the neighbour's name
    neighbour_gender       STRING  the neighbour's gender
    neighbour_article_type STRING  the neighbour's catalogued type
    neighbour_base_colour  STRING  the neighbour's main colour
    neighbour_predicted_article_type STRING  the type that the model sees in the neighbour's picture
    model_version          STRING  model version that made the embeddings
    run_id                 STRING  run that last changed the row
    """),
    checks=(
        ("rank_from_1", "rank >= 1"),
        ("other_product", "neighbour_id <> product_id"),
        ("cosine", "similarity >= -1 AND similarity <= 1"),
    ),
    # A look-up opens the one file that holds the product, and looks at all its row groups.
    rows_per_file=250_000,
)

DUPLICATES = Table(
    "duplicates",
    "Clusters of products that look alike; the view near_duplicates tells more of them",
    ("product_id",),
    _columns("""
    product_id BIGINT  product
    cluster_id BIGINT  the lowest product_id of its cluster
    similarity FLOAT   cosine with the most similar other product of the cluster, -1 to 1
    """),
)

HELD = "held"  # in the state of `recommendations`: the run that they were rolled back to

RUNS = Table(
    "runs",
    "Every run of a job, with what it counted and how long it took",
    ("run_id",),
    _columns("""
    run_id           STRING     made by the job, or given with --run-id
    job              STRING     nightly, ingest, embed, ...
    status           STRING     running, succeeded, failed, refused or abandoned
    started_at       TIMESTAMP  UTC
    finished_at      TIMESTAMP  UTC; null while it runs
    counts           MAP<STRING,BIGINT>  what was counted, as step.what
    seconds          MAP<STRING,DOUBLE>  seconds per step
    versions_read    MAP<STRING,BIGINT>  table versions that the run began with
    versions_written MAP<STRING,BIGINT>  table versions that it wrote
    model_version    STRING     model version
    message          STRING     why it failed or was refused, what it warns of, what embed ran on
    """),
)

# What becomes of the record of a run that is 'running' and holds nothing.
ABANDONED = {"status": "abandoned", "message": "killed before its end"}

TRAINING_SET = Table(
    "training_set",
    "What a model version is trained and validated on; in even row groups, one file each",
    ("product_id",),
    _columns("""
    product_id   BIGINT  product
    content      BINARY  its picture's bytes as found
    article_type STRING  the class to learn
    gender       STRING  class of a further head
    base_colour  STRING  class of a further head
    split        STRING  train or validation
    """),
)

# Those that every night needs; further ones are created by the jobs that fill them.
NIGHTLY = (
    PRODUCTS,
    IMAGES,
    REJECTS,
    VIOLATIONS,
    FILES,
    MODELS,
    EMBEDDINGS,
    NEIGHBOURS,
    RESERVES,
    RECOMMENDATIONS,
    DUPLICATES,
    RUNS,
)
ALL = (*NIGHTLY, TRAINING_SET)
