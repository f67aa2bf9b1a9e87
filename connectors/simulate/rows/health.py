"""Rows of health 卫健, one struct a table: the columns in table order."""

from __future__ import annotations

from connectors.simulate.rows import Row


class BirthCertificate(Row):
    """health.birth_certificate: a baby, its mother, its father."""

    cert_no: str
    baby_name: str | None
    baby_sex: str
    birth_time: str
    gestation_weeks: str | None
    birth_weight_g: int | None
    birth_length_cm: str | None
    plurality: int
    birth_order: int
    apgar: str | None
    facility_code: str | None
    facility_name: str | None
    mother_name: str
    mother_id_type: str
    mother_id_no: str | None
    mother_birth_date: str | None
    mother_ethnicity: str | None
    mother_address: str | None
    mother_phone: str | None
    father_name: str | None
    father_id_type: str | None
    father_id_no: str | None
    father_birth_date: str | None
    father_ethnicity: str | None
    father_phone: str | None
    previous_cert_no: str | None
    status: str
    remark: str | None
    issued_at: str
    updated_at: str


class VaccinationRecord(Row):
    """health.vaccination_record: one dose of a child's vaccination."""

    child_code: str
    vaccine_code: str
    dose_no: int
    child_name: str
    child_sex: str | None
    child_birth_date: str | None
    child_id_no: str | None
    birth_cert_no: str | None
    guardian_name: str | None
    guardian_id_no: str | None
    guardian_phone: str | None
    address: str | None
    vaccine_name: str | None
    batch_no: str | None
    dose_ml: str | None
    site_code: str | None
    adverse_reaction: str | None
    vaccinated_at: str


class HealthRecord(Row):
    """health.health_record: electronic health record."""

    record_id: str
    archive_no: str
    name: str
    sex: str
    birth_date: str | None
    id_type: str
    id_no: str | None
    ethnicity: str | None
    phone: str | None
    contact_name: str | None
    contact_phone: str | None
    hukou_address: str | None
    current_address: str | None
    marital_status: str | None
    blood_group: str | None
    chronic_diseases: str | None
    allergies: str | None
    height_cm: str | None
    weight_kg: str | None
    last_exam: str | None
    medical_summary: str | None
    deceased: bool
    created_at: str
    updated_at: str


class DeathCertificate(Row):
    """health.death_certificate: medical certificate of death."""

    cert_no: str
    name: str
    sex: str
    birth_date: str | None
    id_type: str | None
    id_no: str | None
    ethnicity: str | None
    hukou_address: str | None
    marital_status: str | None
    death_time: str
    death_place: str | None
    cause_icd10: str | None
    age_text: str | None
    family_name: str | None
    family_phone: str | None
    narrative: str | None
    facility_name: str | None
    issued_at: str
