-- What a DBA does once: the role that the tables belong to. The image of `db` runs it when it makes its database.
CREATE ROLE acme_owner NOLOGIN;
GRANT CREATE ON SCHEMA public TO acme_owner;
