-- housing 住建 (PostgreSQL): the captured tables of the reference register. Runs inside the caller's transaction.
CREATE TABLE fw_qlr (
  bdcqzh    varchar(60)   NOT NULL,
  qlrxh     smallint      NOT NULL,
  qlrmc     varchar(100)  NOT NULL,
  qlrzjzl   char(1)       NOT NULL DEFAULT '1',
  qlrzjh    varchar(50),
  xb        char(1),
  dh        varchar(50),
  txdz      varchar(200),
  gyfs      char(1)       NOT NULL,
  qlbl      numeric(5,4),
  zl        varchar(200)  NOT NULL,
  jzmj      numeric(12,2),
  fwyt      varchar(20),
  jyjg      numeric(14,2),
  djsj      timestamp     NOT NULL,
  qszt      smallint      NOT NULL DEFAULT 1,
  fj        text,
  PRIMARY KEY (bdcqzh, qlrxh)
);

CREATE TABLE zlba (
  ba_id          uuid PRIMARY KEY,
  babh           varchar(24)   NOT NULL,
  czr_xm         varchar(100)  NOT NULL,
  czr_zjhm       varchar(50),
  czr_dh         varchar(50),
  chzr_xm        varchar(100)  NOT NULL,
  chzr_zjlx      varchar(20)   NOT NULL DEFAULT '身份证',
  chzr_zjhm      varchar(50),
  chzr_dh        varchar(50),
  tzr            jsonb,
  fwdz           varchar(200)  NOT NULL,
  zlmj           numeric(10,2),
  yzj            numeric(10,2),
  zlqx           daterange     NOT NULL,
  zt             varchar(8)    NOT NULL,
  created_at     timestamptz   NOT NULL,
  updated_at     timestamptz   NOT NULL
);
