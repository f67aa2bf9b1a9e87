-- hrss 人社 (PostgreSQL): the captured table of the reference register; columns carry the sector's item codes, dates
-- are numbers. Runs inside the caller's transaction.
CREATE TABLE ac01 (
  aac001  numeric(20,0) PRIMARY KEY,
  aac058  varchar(2)     NOT NULL DEFAULT '01',
  aac002  varchar(30),
  aac003  varchar(80)    NOT NULL,
  aac004  char(1),
  aac005  char(2),
  aac006  integer,
  aac007  integer,
  aac009  char(2),
  aac010  varchar(200),
  aac017  char(1),
  aac008  char(1)        NOT NULL,
  aae005  varchar(30),
  aae006  varchar(200),
  aab001  numeric(20,0),
  aab004  varchar(100),
  aae140  text[],
  aac040  numeric(12,2),
  aac049  integer,
  aae013  text,
  aae036  bigint         NOT NULL
);
CREATE INDEX ON ac01 (aac002);
