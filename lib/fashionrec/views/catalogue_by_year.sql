-- The catalogue by year of the collection, with its growth.
--   year                   year of the collection; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
--   growth                 against the year before: 0.5 is half as many again; null: it had none
SELECT
  this.year,
  this.products,
  this.products / sum(this.products) OVER () AS share,
  this.products / before.products - 1 AS growth
FROM (SELECT year, count(*) AS products FROM products GROUP BY year) AS this
LEFT JOIN (SELECT year, count(*) AS products FROM products GROUP BY year) AS before
  ON before.year = this.year - 1
