"""What the store's own columns are called in both languages, and how sensitive they are.

A column of a data element has both from the standard (`avro.elements`). The others have their title from the schema's
``doc``, or from here where many schemas share the field, and their level from here. Levels are those of the standard:
1 (public) to 4 (highly sensitive).
"""

from __future__ import annotations

from typing import Final

TITLES: Final = {
    "department": "Owner of the data / 部门",
    "table": "Data type of the department / 数据类型",
    "feed": "Department and data type / 数据源",
    "key": "Compact JSON object of the primary key / 主键",
    "role": "What the person is in the record / 角色",
    "ordinal": "Place among the persons of this role, from 0 / 同角色序号",
    "person_id": "Number of the person in this register / 人员编号",
    "merged_into": "The person that this one is part of now / 并入的人员编号",
    "split_from": "The person that this one was part of / 拆分自的人员编号",
    "decision_id": "Number of the decision / 判定编号",
    "review_id": "Number of the review / 复核编号",
    "author": "Who decided / 判定人",
    "decided_at": "When it was decided / 判定时间",
    "overrides": "Constraints that the author set aside / 明知并排除的限制",
    "revoked_by": "Who revoked it / 撤销人",
    "revoke_reason": "Why it was revoked / 撤销理由",
    "revoked_at": "When it was revoked / 撤销时间",
    "mention_count": "Records that mention the person / 来源记录数",
    "topic": "Topic that the change was captured in / 消息主题",
    "partition": "Its partition / 分区",
    "offset": "Its position there / 位移",
    "headers": "The message's headers / 消息头",
    "findings": "Rules that values of the row broke / 质量问题",
    "kind": "Kind of mark / 标记类型",
    "source_time": "Commit in the source / 源端提交时间",
    "state": "State / 状态",
    "since": "In this state since / 状态起始时间",
    "reason": "Why / 理由",
    "frontier": "Source time up to which everything has passed / 已处理到的源端时间",
    "version": "Orders the states of one key / 版本",
    "is_deleted": "1 for a delete / 是否删除",
}
"""Titles of fields that have no ``doc`` of their own."""

LEVELS: Final = {
    "key": 4,  # may hold an ID number
    "raw": 4,
    "findings": 4,
    "raw_key": 4,
    "raw_value": 4,
    "headers": 4,
    "provenance": 4,
    "other_numbers": 4,
    "kin": 4,
    "person_id": 3,
    "merged_into": 3,
    "split_from": 3,
    "left": 4,
    "right": 4,
    "left_person": 3,
    "right_person": 3,
    "reason": 4,
    "revoke_reason": 4,
    "household": 3,
    "ties": 3,
    "other_names": 3,
    "birth_order": 3,
}
"""Levels above 1 of columns that are no data elements."""

LOWEST: Final = 1


def comment(name: str, doc: str) -> str:
    """Return the comment of a column that is no data element."""
    title = doc or TITLES.get(name, "")
    return f"{title} · 级别 level {LEVELS.get(name, LOWEST)}" if title else ""
