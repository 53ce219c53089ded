-- The catalogue by year and each other column: how gender, colours and types grow and shrink.
--   dimension              the column: gender, master_category, sub_category, article_type, ...
--   value                  its value; null: the catalogue does not say
--   year                   year of the collection; null: the catalogue does not say
--   products               how many products
--   share                  of the year's products, 0 to 1
--   growth                 against the year before: 0.5 is half as many again; null: it had none
WITH cells AS (
  SELECT dimension, value, year, count(*) AS products
  FROM (
    SELECT 'gender' AS dimension, gender AS value, year FROM products
    UNION ALL SELECT 'master_category', master_category, year FROM products
    UNION ALL SELECT 'sub_category', sub_category, year FROM products
    UNION ALL SELECT 'article_type', article_type, year FROM products
    UNION ALL SELECT 'base_colour', base_colour, year FROM products
    UNION ALL SELECT 'season', season, year FROM products
    UNION ALL SELECT 'usage', usage, year FROM products
  ) AS each_column
  GROUP BY dimension, value, year
)
SELECT
  this.dimension,
  this.value,
  this.year,
  this.products,
  this.products / sum(this.products) OVER (PARTITION BY this.dimension, this.year) AS share,
  this.products / before.products - 1 AS growth
FROM cells AS this
LEFT JOIN cells AS before
  ON before.dimension = this.dimension
  AND before.value IS NOT DISTINCT FROM this.value
  AND before.year = this.year - 1
