-- market 市场监管 (PostgreSQL): the captured table of the reference register. Runs inside the caller's transaction.
CREATE TYPE ent_kind AS ENUM ('公司','个体工商户','农民专业合作社','个人独资企业');
CREATE TABLE e_lerep (
  uniscid     varchar(18) PRIMARY KEY,
  regno       varchar(15),
  entname     varchar(200)   NOT NULL,
  enttype     ent_kind       NOT NULL,
  lerep       varchar(100)   NOT NULL,
  lerep_certype varchar(2)   NOT NULL DEFAULT '10',
  lerep_cerno varchar(50),
  lerep_sex   varchar(2),
  lerep_natdate date,
  tel         varchar(50),
  dom         varchar(200),
  regcap      numeric(18,6),
  estdate     date,
  opscope     text,
  regstate    varchar(10)    NOT NULL,
  s_ext_timestamp timestamptz NOT NULL
);
