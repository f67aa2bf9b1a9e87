-- health 卫健 (PostgreSQL): the captured tables of the reference register, with real date types and enums.
-- Runs inside the caller's transaction.
CREATE TYPE sex_code    AS ENUM ('M','F','U');
CREATE TYPE id_doc_type AS ENUM ('id_card','passport','hk_macao','taiwan','military','birth_cert','none');
CREATE TYPE blood_group AS ENUM ('A','B','AB','O','unknown');
CREATE TYPE cert_status AS ENUM ('issued','reissued','voided');
CREATE TYPE death_place AS ENUM ('hospital','home','on_the_way','nursing_home','other');

CREATE TABLE birth_certificate (
  cert_no           varchar(10) PRIMARY KEY,
  baby_name         varchar(80),
  baby_sex          sex_code      NOT NULL,
  birth_time        timestamptz   NOT NULL,
  gestation_weeks   numeric(3,1),
  birth_weight_g    integer,
  birth_length_cm   numeric(4,1),
  plurality         smallint      NOT NULL DEFAULT 1,
  birth_order       smallint      NOT NULL DEFAULT 1,
  apgar             smallint[],
  facility_code     varchar(22),
  facility_name     varchar(100),
  mother_name       varchar(80)   NOT NULL,
  mother_id_type    id_doc_type   NOT NULL DEFAULT 'id_card',
  mother_id_no      varchar(30),
  mother_birth_date date,
  mother_ethnicity  varchar(20),
  mother_address    varchar(200),
  mother_phone      varchar(30),
  father_name       varchar(80),
  father_id_type    id_doc_type,
  father_id_no      varchar(30),
  father_birth_date date,
  father_ethnicity  varchar(20),
  father_phone      varchar(30),
  previous_cert_no  varchar(10),
  status            cert_status   NOT NULL DEFAULT 'issued',
  remark            text,
  issued_at         timestamptz   NOT NULL,
  updated_at        timestamptz   NOT NULL
);
ALTER TABLE birth_certificate REPLICA IDENTITY FULL;

CREATE TABLE vaccination_record (
  child_code       varchar(18)  NOT NULL,
  vaccine_code     char(4)      NOT NULL,
  dose_no          smallint     NOT NULL,
  child_name       varchar(80)  NOT NULL,
  child_sex        sex_code,
  child_birth_date date,
  child_id_no      varchar(30),
  birth_cert_no    varchar(10),
  guardian_name    varchar(80),
  guardian_id_no   varchar(30),
  guardian_phone   varchar(30),
  address          varchar(200),
  vaccine_name     varchar(60),
  batch_no         varchar(30),
  dose_ml          numeric(4,2),
  site_code        varchar(12),
  adverse_reaction jsonb,
  vaccinated_at    timestamptz  NOT NULL,
  PRIMARY KEY (child_code, vaccine_code, dose_no)
);

CREATE TABLE health_record (
  record_id        uuid PRIMARY KEY,
  archive_no       varchar(17)  NOT NULL,
  name             varchar(80)  NOT NULL,
  sex              sex_code     NOT NULL,
  birth_date       date,
  id_type          id_doc_type  NOT NULL DEFAULT 'id_card',
  id_no            varchar(30),
  ethnicity        varchar(20),
  phone            varchar(30),
  contact_name     varchar(80),
  contact_phone    varchar(30),
  hukou_address    varchar(200),
  current_address  varchar(200),
  marital_status   varchar(12),
  blood_group      blood_group,
  chronic_diseases text[],
  allergies        text[],
  height_cm        numeric(4,1),
  weight_kg        numeric(5,2),
  last_exam        jsonb,
  medical_summary  text,
  deceased         boolean      NOT NULL DEFAULT false,
  created_at       timestamptz  NOT NULL,
  updated_at       timestamptz  NOT NULL
);
CREATE INDEX ON health_record (id_no);

CREATE TABLE death_certificate (
  cert_no        varchar(20) PRIMARY KEY,
  name           varchar(80)   NOT NULL,
  sex            sex_code      NOT NULL,
  birth_date     date,
  id_type        id_doc_type,
  id_no          varchar(30),
  ethnicity      varchar(20),
  hukou_address  varchar(200),
  marital_status varchar(12),
  death_time     timestamptz   NOT NULL,
  death_place    death_place,
  cause_icd10    varchar(8)[],
  age_text       varchar(12),
  family_name    varchar(80),
  family_phone   varchar(30),
  narrative      text,
  facility_name  varchar(100),
  issued_at      timestamptz   NOT NULL
);
