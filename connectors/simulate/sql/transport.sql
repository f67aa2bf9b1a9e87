-- transport 交通 (PostgreSQL): the captured tables of the reference register. Runs inside the caller's transaction.
CREATE TABLE jsr_jszxx (
  dabh      char(12) PRIMARY KEY,
  sfzmmc    char(1)        NOT NULL DEFAULT 'A',
  sfzmhm    varchar(30)    NOT NULL,
  xm        varchar(80)    NOT NULL,
  xb        char(1),
  csrq      timestamp(0),
  gj        char(3)        NOT NULL DEFAULT '156',
  zjcx      varchar(15)    NOT NULL,
  cclzrq    timestamp(0),
  yxqs      timestamp(0),
  yxqz      timestamp(0),
  ljjf      smallint,
  zt        varchar(6)     NOT NULL,
  djzsxxdz  varchar(200),
  lxzsxxdz  varchar(200),
  sjhm      varchar(30),
  zp        bytea,
  gxsj      timestamp(0)   NOT NULL
);

CREATE TABLE kk_txjl (
  event_id   bigint PRIMARY KEY,
  device_id  varchar(20)      NOT NULL,
  device_ip  inet,
  pass_time  timestamptz      NOT NULL,
  recv_time  timestamptz      NOT NULL DEFAULT now(),
  station    varchar(60),
  direction  smallint,
  kind       varchar(10)      NOT NULL,
  xm         varchar(80),
  zjhm       varchar(30),
  plate_no   varchar(12),
  face_score real,
  lon        double precision,
  lat        double precision,
  raw        jsonb
);
