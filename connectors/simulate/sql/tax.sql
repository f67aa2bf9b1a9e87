-- tax 税务 (PostgreSQL): the captured table of the reference register. Runs inside the caller's transaction.
CREATE TABLE zrr_djxx (
  zrrdah     varchar(20) PRIMARY KEY,
  xm         varchar(150)  NOT NULL,
  zjlx_dm    char(3)       NOT NULL DEFAULT '201',
  zjhm       varchar(50)   NOT NULL,
  qt_zjhm    varchar(50),
  xb_dm      char(1),
  csrq       date,
  gj_dm      char(3)       NOT NULL DEFAULT 'CHN',
  sjhm       varchar(30),
  hjdz       varchar(200),
  lxdz       varchar(200),
  rzsgrq     timestamp,
  kjywr      varchar(150),
  zxfjkc     jsonb,
  ljsr       numeric(16,2),
  ljse       numeric(16,2),
  zxbz       char(1)       NOT NULL DEFAULT 'N',
  lrrq       timestamp     NOT NULL,
  xgrq       timestamp
);
CREATE INDEX ON zrr_djxx (zjhm);
