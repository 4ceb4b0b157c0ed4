"""The rows of models that were learned: by task and version, with their cards."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from soc.store.columns import moment, number, text


class Learned(SQLModel, table=True):
    """One model. Its trained state is kept under its digest, as the bytes of files are.

    state: challenger, champion or retired. schema_digest: of the features that it reads. until:
    the end of the last window that it learned from. reason: why it is in its state.
    """

    __tablename__ = "learned_model"
    __table_args__ = (UniqueConstraint("task", "version"),)

    id: int | None = number(default=None, primary_key=True)
    task: str = Field(index=True)
    version: int = number()
    name: str
    state: str
    schema_digest: str
    digest: str
    card_json: str = text()
    until: datetime = moment()
    created: datetime = moment()
    created_by: str
    promoted: datetime | None = moment(default=None)
    reason: str = text(default="")
