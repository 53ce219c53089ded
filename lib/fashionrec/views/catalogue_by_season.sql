-- The catalogue by season.
--   season                 season; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
SELECT season, count(*) AS products, count(*) / sum(count(*)) OVER () AS share
FROM products
GROUP BY season
