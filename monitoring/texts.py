"""What the states of a source mean and what to do, a sentence in Chinese and one in English for every cause."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """Why a source is in its state: a stable code."""

    FINE = "fine"
    SNAPSHOT = "snapshot"
    FIRST_ROWS = "first_rows"
    SOURCE_REFUSES = "source_refuses"
    CONNECT_BLAMES_SOURCE = "connect_blames_source"
    BROKER_AWAY = "broker_away"
    CONNECT_AWAY = "connect_away"
    MISSING = "connector_missing"
    PAUSED = "connector_paused"
    FAILED = "connector_failed"
    NOT_STARTED = "connector_not_started"
    NO_HEARTBEAT = "no_heartbeat"
    NEVER_A_HEARTBEAT = "never_a_heartbeat"
    SLOT_LOST = "slot_lost"
    BEHIND = "connector_behind"
    NORMALIZE = "normalize_behind"
    LINK = "link_behind"
    STORE = "store_behind"
    NO_MARKS = "no_marks"
    SINK_ERROR = "sink_error"
    SINK_HANGS = "sink_hangs"


LANGUAGES: Final = ("zh", "en")

_SENTENCES: Final[dict[Cause, tuple[str, str]]] = {
    Cause.FINE: ("已采集的数据均可查询，无需处理。", "everything captured is queryable; nothing to do"),
    Cause.SNAPSHOT: (
        "正在进行快照，请等待；进度见 renkou connect status。",
        "a snapshot is under way; wait for it, see renkou connect status",
    ),
    Cause.FIRST_ROWS: (
        "首批数据正在处理，尚有 {0} 条消息等待，请等待。",
        "the first rows are on their way, {0} messages wait; wait for them",
    ),
    Cause.SOURCE_REFUSES: (
        "数据库不接受连接，请联系该部门的数据库管理员。",
        "the database does not accept connections; ask its administrator",
    ),
    Cause.CONNECT_BLAMES_SOURCE: (
        "连接器报告数据库无应答，请联系数据库管理员，并检查 Connect 到数据库的网络。",
        "the connector says that the database does not answer; ask its administrator, see the network from Connect",
    ),
    Cause.BROKER_AWAY: (
        "Kafka 无应答（{0}），请检查 broker 进程、磁盘与 RENKOU_BROKER。",
        "Kafka does not answer ({0}); see the broker's process, its disk and RENKOU_BROKER",
    ),
    Cause.CONNECT_AWAY: (
        "Kafka Connect 无应答且没有心跳，请检查 Connect 进程及其日志。",
        "Kafka Connect does not answer and no heartbeats come; see Connect's process and its log",
    ),
    Cause.MISSING: (
        "Connect 中没有该连接器，请运行 renkou connect apply。",
        "Connect does not have the connector; run renkou connect apply",
    ),
    Cause.PAUSED: (
        "连接器处于 {0}，请通过 Connect 的 REST 接口恢复（PUT /connectors/…/resume）。",
        "the connector is {0}; resume it through Connect's REST interface (PUT /connectors/<name>/resume)",
    ),
    Cause.FAILED: (
        "连接器任务失败：{0}。处理后由 Connect 重启任务，见 renkou connect status。",
        "the connector's task failed: {0}; mend that and restart the task, see renkou connect status",
    ),
    Cause.NOT_STARTED: (
        "连接器处于 {0} 且没有心跳，请检查 Connect 的日志。",
        "the connector is {0} and sends no heartbeats; see Connect's log",
    ),
    Cause.NO_HEARTBEAT: (
        "已 {0} 秒没有心跳，请检查 renkou connect status、Connect 的日志和数据库是否可达。",
        "no heartbeat for {0} s; see renkou connect status, Connect's log, and whether the database is reachable",
    ),
    Cause.NEVER_A_HEARTBEAT: (
        "从未收到心跳，请检查连接器的 heartbeat.interval.ms（renkou connect apply 会设置）。",
        "no heartbeat has ever come; see the connector's heartbeat.interval.ms, which renkou connect apply sets",
    ),
    Cause.SLOT_LOST: (
        "复制槽已失效，变更已丢失，请重新快照，并提高 max_slot_wal_keep_size。",
        "the replication slot is lost, and changes with it; take a new snapshot and raise max_slot_wal_keep_size",
    ),
    Cause.BEHIND: (
        "连接器正在处理 {0} 秒前的变更，枢纽自身没有积压；若不缩短，请检查 Connect 的处理器与内存。",
        "the connector works on changes of {0} s ago, nothing waits in the hub; see Connect's processor and memory",
    ),
    Cause.NORMALIZE: (
        "规范化环节落后（{0}），请查看 normalize 的日志，或增加其实例。",
        "the normalizers are behind ({0}); see their log, or start another one",
    ),
    Cause.LINK: (
        "关联环节落后（{0}），请查看 link 的日志和处理器。",
        "the linker is behind ({0}); see its log and its processor",
    ),
    Cause.STORE: (
        "入库环节落后（{0}），请查看 store 的日志和磁盘。",
        "the store is behind ({0}); see its log and its disk",
    ),
    Cause.NO_MARKS: (
        "没有积压但进度标记未推进，请重启 normalize 并查看其日志。",
        "nothing waits, but the frontier does not move; see the normalizer's log and restart it",
    ),
    Cause.SINK_ERROR: (
        "写入存储失败：{0}。请查看 store 的日志和磁盘空间。",
        "the store does not take rows: {0}; see its log and its disk",
    ),
    Cause.SINK_HANGS: (
        "一批写入已进行 {0} 秒，请检查 ClickHouse 和磁盘。",
        "one batch has been written for {0} s; see ClickHouse and its disk",
    ),
}


def sentence(cause: Cause, language: str, detail: str = "") -> str:
    """Return the sentence of a cause in ``zh`` or ``en``; ``detail`` is what it was measured by."""
    texts = _SENTENCES[cause]
    return texts[LANGUAGES.index(language)].format(detail or "?")
