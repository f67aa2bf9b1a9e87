"""What is written to Connect and printed for a source's administrator."""

from __future__ import annotations

import re

import pytest

from avro.version import binlog_version
from connectors import connect, debezium, topics
from connectors.addresses import read_address
from connectors.connect import ConnectorStatus
from connectors.debezium import Capture, CapturedTable, Source
from connectors.errors import TerminalError, TransientError

TABLE = CapturedTable("public", "hj_ryjbxx", ("XM", "GMSFHM"), ("RYNBID",))
SOURCE = Source("police", "db.example", 5432, "police", "renkou", "${env:PASSWORD}")


def config(capture: Capture = Capture.JSON, *tables: CapturedTable) -> dict[str, str]:
    made = debezium.connector(
        SOURCE, tables or (TABLE,), capture=capture, kafka="k:9092", registry="http://r"
    )
    return dict(made.config)


def test_names_follow_the_contract() -> None:
    made = debezium.connector(SOURCE, [TABLE], capture=Capture.JSON, kafka="k:9092")
    assert made.name == "renkou-police"
    assert made.config["topic.prefix"] == "cdc.police"
    assert made.config["slot.name"] == made.config["publication.name"] == "renkou_police"
    names = [spec.name for spec in topics.capture_topics("police", [TABLE])]
    assert names == [
        "cdc.police.public.hj_ryjbxx",
        "__debezium-heartbeat.cdc.police",
        "renkou.signals.police",
    ]


def test_only_the_named_columns_and_the_key_are_captured() -> None:
    patterns = config()["column.include.list"].split(",")
    columns = ("RYNBID", "XM", "GMSFHM", "XP", "XMX")
    matched = [c for c in columns if any(re.fullmatch(p, f"public.hj_ryjbxx.{c}") for p in patterns)]
    assert matched == ["RYNBID", "XM", "GMSFHM"]


@pytest.mark.parametrize(
    "name", ["a.b", "a$b", "a(b)", "a+b", "a[b]", "a|b", "a^b", "姓名", "a-b", "a{2}", "a?b*"]
)
def test_names_are_matched_literally(name: str) -> None:
    pattern = config(Capture.JSON, CapturedTable("public", "t", (name,), ("id",)))[
        "column.include.list"
    ].split(",")[1]
    assert re.fullmatch(pattern, f"public.t.{name}")
    assert not re.fullmatch(pattern, f"publicxt.{name}")


def test_a_comma_in_a_name_does_not_end_the_list() -> None:
    assert config(Capture.JSON, CapturedTable("public", "t", ("a,b",), ("id",)))[
        "column.include.list"
    ].endswith(r"a\,b")


def test_nothing_is_written_into_the_source() -> None:
    settings = config()
    assert settings["publication.autocreate.mode"] == "disabled"
    assert settings["read.only"] == "true"
    assert settings["signal.enabled.channels"] == "kafka"
    assert "heartbeat.action.query" not in settings
    assert "signal.data.collection" not in settings


@pytest.mark.parametrize(
    ("capture", "converter", "schemas"),
    [
        (Capture.JSON, "org.apache.kafka.connect.json.JsonConverter", "false"),
        (Capture.JSON_SCHEMAS, "org.apache.kafka.connect.json.JsonConverter", "true"),
        (Capture.AVRO, "io.confluent.connect.avro.AvroConverter", None),
    ],
)
def test_formats(capture: Capture, converter: str, schemas: str | None) -> None:
    settings = config(capture)
    for part in ("key.converter", "value.converter"):
        assert settings[part] == converter
        assert settings.get(f"{part}.schemas.enable") == schemas
        assert settings.get(f"{part}.schema.registry.url") == (
            "http://r" if capture is Capture.AVRO else None
        )


def test_avro_without_a_registry_and_a_department_without_feeds_are_refused() -> None:
    with pytest.raises(TerminalError, match="needs a schema registry"):
        debezium.connector(SOURCE, [TABLE], capture=Capture.AVRO, kafka="k:9092")
    with pytest.raises(TerminalError, match="has no feed"):
        debezium.connector(SOURCE, [], capture=Capture.JSON, kafka="k:9092")


def test_a_name_that_avro_would_change_is_not_captured_as_avro() -> None:
    table = CapturedTable("public", "t", ("姓名",), ("id",))
    with pytest.raises(TerminalError, match="is no name in Avro; capture as JSON"):
        config(Capture.AVRO, table)
    assert config(Capture.JSON, table)


def test_a_source_shows_no_password() -> None:
    assert "PASSWORD" not in repr(SOURCE)


def test_sql_quotes_names_and_grants_only_the_named_columns() -> None:
    text = debezium.source_sql("police", [CapturedTable("public", 'we"ird', ("XM",), ("HH",))], role="o'role")
    assert 'GRANT SELECT ("HH", "XM")\n  ON TABLE "public"."we""ird" TO "o\'role";' in text
    assert "rolname = 'o''role'" in text
    assert "GRANT ALL" not in text


def test_what_a_trace_quotes_is_not_repeated() -> None:
    trace = (
        "org.apache.kafka.connect.errors.ConnectException: row 张某 360000\n\tat x\n"
        "Caused by: java.lang.IllegalStateException: 张某"
    )
    reason = connect._reason(trace)
    assert reason == "ConnectException from IllegalStateException; see Connect's log"


def test_known_traces_say_what_to_do() -> None:
    assert "in use" in connect._reason(
        'PSQLException: ERROR: replication slot "renkou_police" is active for PID 7'
    )
    assert "renkou connect sql" in connect._reason("ERROR: permission denied for table x")
    assert "binlog_format" in connect._reason(
        "The MariaDB server is not configured to use a ROW binlog_format"
    )
    assert "does not know a type" in connect._reason("ParsingException: DDL statement couldn't be parsed")
    assert "new snapshot" in connect._reason("Could not find first log file name in binary log index file")
    assert connect._reason("") == ""


def test_running_means_every_task() -> None:
    assert ConnectorStatus("a", "RUNNING", ("RUNNING",)).running
    assert not ConnectorStatus("a", "RUNNING", ()).running
    assert not ConnectorStatus("a", "RUNNING", ("RUNNING", "UNASSIGNED")).running
    assert ConnectorStatus("a", "RUNNING", ("FAILED",)).failed


def test_services_that_are_down_are_named() -> None:
    with pytest.raises(TransientError, match=r"Kafka Connect at http://127\.0\.0\.1:1.*is it running"):
        connect.status("http://127.0.0.1:1")


def test_a_broker_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "REQUEST_SECONDS", 0.5)
    with pytest.raises(TransientError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        topics.ensure_topics("127.0.0.1:1", topics.hub_topics())


LARDER = CapturedTable("edu", "xs_xjxx", ("xm", "zp`"), ("xjh",))
MARIADB = Source("edu", "db.example", 3306, "edu", "renkou_edu", "${env:PASSWORD}", "mariadb")


def test_a_mariadb_connector_keeps_its_history_and_says_nothing_of_statements() -> None:
    made = debezium.connector(MARIADB, [LARDER], capture=Capture.JSON, kafka="k:9092")
    settings = made.config
    assert settings["connector.class"].endswith("MariaDbConnector")
    assert settings["topic.prefix"] == "cdc.edu"
    assert settings["database.include.list"] == "edu"
    assert settings["schema.history.internal.kafka.topic"] == "renkou.schema-history.edu"
    assert (settings["include.schema.changes"], settings["include.query"]) == ("false", "false")
    assert not {"slot.name", "publication.name", "plugin.name"} & settings.keys()
    other = debezium.connector(
        Source("medins", "db.example", 3306, "medins", "u", "p", "mariadb"), [LARDER],
        capture=Capture.JSON, kafka="k:9092",
    )  # fmt: skip
    assert 0 < int(settings["database.server.id"]) < 2**31
    assert int(settings["connect.keep.alive.interval.ms"]) <= 5000, "a restarted server is heard of soon"
    assert settings["database.server.id"] != other.config["database.server.id"]
    specs = topics.capture_topics("edu", [LARDER], "mariadb")
    (history,) = [spec for spec in specs if spec.name == "renkou.schema-history.edu"]
    assert history.settings["retention.ms"] == "-1"


def test_sql_for_mariadb_grants_columns_to_an_account_of_the_department() -> None:
    text = debezium.source_sql("edu", [LARDER], "o'role", "mariadb")
    assert (
        "GRANT REFERENCES, SELECT (`xjh`, `xm`, `zp```)\n  ON `edu`.`xs_xjxx` TO 'o''role_edu'@'%';" in text
    )
    assert "GRANT ALL" not in text
    assert text.index("REVOKE ALL") < text.index("GRANT ")


def test_versions_of_mariadb_are_in_the_order_of_its_log() -> None:
    versions = [
        binlog_version(0, 1, 4, 0, snapshot=True),
        binlog_version(0, 1, 4, 0, snapshot=False),
        binlog_version(0, 1, 4, 1, snapshot=False),
        binlog_version(0, 1, 5, 0, snapshot=True),
        binlog_version(0, 2, 4, 0, snapshot=False),
        binlog_version(1, 1, 4, 0, snapshot=True),
    ]
    assert versions == sorted(set(versions))
    for file, position in ((-1, 0), (1 << 24, 0), (0, 1 << 32)):
        with pytest.raises(ValueError, match="out of range"):
            binlog_version(0, file, position, 0, snapshot=False)


@pytest.mark.parametrize(
    ("dsn", "kind", "port"),
    [
        ("postgresql://u:p@h/d", "postgresql", 5432),
        ("mariadb://u@h/d", "mariadb", 3306),
        ("mysql://h:1/d", "mariadb", 1),
    ],
)
def test_addresses_are_read_and_written(dsn: str, kind: str, port: int) -> None:
    address = read_address(dsn)
    assert (address.kind, address.host, address.port, address.database) == (kind, "h", port, "d")
    assert read_address(address.url()) == address
    assert "p@" not in repr(address)


@pytest.mark.parametrize(
    "dsn", ["oracle://secret@h/d", "mariadb://secret@h", "mariadb://secret@h:x/d", "secret"]
)
def test_an_address_that_is_none_is_not_repeated(dsn: str) -> None:
    with pytest.raises(TerminalError) as caught:
        read_address(dsn)
    assert "secret" not in str(caught.value)
