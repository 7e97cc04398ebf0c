"""Reading what sfnb wrote before record versions: formats 1 and 2, whose tables are in ``tables/``."""
