-- Which article types complete which: the list `complete_the_look`, counted by pairs of types.
--   gender                 the product's gender
--   article_type           the product's catalogued type
--   neighbour_article_type the type that goes with it
--   recommendations        how often the one is recommended for the other
--   products               for how many different products
--   share                  of what is recommended for this gender and type, 0 to 1
--   mean_similarity        mean cosine, -1 to 1
SELECT
  gender,
  article_type,
  neighbour_article_type,
  count(*) AS recommendations,
  count(DISTINCT product_id) AS products,
  count(*) / sum(count(*)) OVER (PARTITION BY gender, article_type) AS share,
  avg(similarity) AS mean_similarity
FROM recommendations
WHERE list = 'complete_the_look'
GROUP BY gender, article_type, neighbour_article_type
