-- The catalogue by main colour.
--   base_colour            main colour; null: the catalogue does not say
--   products               how many products
--   share                  of all products, 0 to 1
SELECT base_colour, count(*) AS products, count(*) / sum(count(*)) OVER () AS share
FROM products
GROUP BY base_colour
