-- police 公安 (PostgreSQL): the captured tables of the reference register. hj_* keep the quoted upper-case columns
-- they had in Oracle, ldrk_jzz was built later in lower case. Runs inside the caller's transaction.
CREATE TABLE hj_hjxx (
  "HH"       varchar(12) PRIMARY KEY,
  "HLX"      char(1)      NOT NULL DEFAULT '1',
  "HZXM"     varchar(50),
  "HZGMSFHM" char(18),
  "SSXQ"     char(6)      NOT NULL,
  "XZJD"     varchar(60),
  "JCWH"     varchar(60),
  "JLX"      varchar(60),
  "MLPH"     varchar(40),
  "MLXZ"     varchar(200),
  "PCS"      char(9),
  "HRS"      smallint,
  "LHRQ"     char(8),
  "XHRQ"     char(8),
  "ZTBZ"     char(1)      NOT NULL DEFAULT '0',
  "GXSJ"     char(14)     NOT NULL
);
ALTER TABLE hj_hjxx REPLICA IDENTITY FULL;

-- No FULL here on purpose: an unchanged photo (ZP) is not sent.
CREATE TABLE hj_ryjbxx (
  "RYNBID"   bigint PRIMARY KEY,
  "HH"       varchar(12)  NOT NULL,
  "YHZGX"    char(2),
  "GMSFHM"   char(18),
  "XM"       varchar(50)  NOT NULL,
  "CYM"      varchar(50),
  "XB"       char(1)      NOT NULL,
  "MZ"       char(2),
  "CSRQ"     char(8),
  "CSDSSX"   char(6),
  "JGSSX"    char(6),
  "WHCD"     char(2),
  "HYZK"     char(2),
  "BYZK"     char(1),
  "ZJXY"     char(2),
  "SG"       numeric(4,1),
  "XX"       char(1),
  "FWCS"     varchar(100),
  "HKXZ"     char(2),
  "HJDZ"     varchar(200),
  "LXDH"     varchar(30),
  "FQXM"     varchar(50),
  "FQGMSFHM" char(18),
  "MQXM"     varchar(50),
  "MQGMSFHM" char(18),
  "POXM"     varchar(50),
  "POGMSFHM" char(18),
  "JHRXM"    varchar(50),
  "QRRQ"     char(8),
  "RYZT"     char(1)      NOT NULL DEFAULT '0',
  "ZP"       text,
  "BZ"       text,
  "GXSJ"     char(14)     NOT NULL
);
CREATE INDEX ON hj_ryjbxx ("GMSFHM");
CREATE INDEX ON hj_ryjbxx ("HH");

CREATE TYPE jzsy AS ENUM ('务工','经商','服务','就学','投靠','随迁','其他');
CREATE TABLE ldrk_jzz (
  djbh       bigint PRIMARY KEY,
  jzzbh      varchar(20) UNIQUE,
  zjlx       varchar(3)   NOT NULL DEFAULT '111',
  zjhm       varchar(30),
  xm         varchar(80)  NOT NULL,
  xb         char(1),
  mz         varchar(2),
  csrq       char(8),
  hjd_xzqh   char(6),
  hjdz       varchar(200),
  xzdz       varchar(200),
  jzsy       jzsy,
  lxdh       varchar(30),
  fwcs       varchar(100),
  djrq       date         NOT NULL,
  fzrq       date,
  yxqz       date,
  zt         varchar(10)  NOT NULL DEFAULT '有效',
  tbr_xm     varchar(50),
  zp         bytea,
  cjsj       timestamp    NOT NULL,
  gxsj       timestamptz  NOT NULL
);
ALTER TABLE ldrk_jzz REPLICA IDENTITY FULL;
