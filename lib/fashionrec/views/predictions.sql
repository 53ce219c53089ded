-- What model versions see in each picture: `embeddings` without the vectors.
--   product_id             product
--   model_version          model version
--   image_sha256           the picture it was computed from
--   predicted_article_type most probable class; null: the model has no classifier
--   predicted_probability  its probability, 0 to 1
--   predicted_accepted     whether that is over the model's own threshold; null: it has none
SELECT
  product_id,
  model_version,
  image_sha256,
  predicted_article_type,
  predicted_probability,
  predicted_accepted
FROM embeddings
