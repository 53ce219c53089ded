"""What a model says of rows, by the very engine that `embed` uses."""

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fashionrec.embed.engines import choose_program
from fashionrec.embed.frames import encoded, send
from fashionrec.embed.model import Model
from fashionrec.errors import FashionrecError
from fashionrec.evaluation.classification import Answers
from fashionrec.settings import EmbedSettings


def predictions(rows: DataFrame, model: Model, settings: EmbedSettings) -> Answers:
    """Return the answers to rows of product_id, content, article_type, in order of product_id.

    Raises:
        FashionrecError: a picture cannot be decoded.
    """
    sent = send(rows.sparkSession.sparkContext, choose_program(model, settings))
    results = encoded(rows.withColumn("image_sha256", F.lit("")), sent).select(
        "product_id", "predicted_article_type", "predicted_probability", "problem"
    )
    truth = rows.select("product_id", "article_type")
    told = results.join(truth, on="product_id", how="inner").orderBy("product_id").toArrow()
    problem = next((p for p in told["problem"].to_pylist() if p), None)
    if problem:
        raise FashionrecError(f"a picture to predict {problem}: run ingest again")
    return Answers(
        told["product_id"].to_numpy(),
        np.array(told["article_type"].to_pylist(), dtype=np.str_),
        np.array(told["predicted_article_type"].to_pylist(), dtype=np.str_),
        told["predicted_probability"].to_numpy().astype(np.float64),
    )
