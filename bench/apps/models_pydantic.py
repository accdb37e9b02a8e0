"""The plan as pydantic models, for the frameworks that take them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Owner(Closed):
    name: Text
    email: Annotated[str, Field(pattern="^[^@]+@[^@]+$")]
    team: str | None = None


class Quota(Closed):
    resource: Text
    limit: Annotated[int, Field(ge=0)]


class Plan(Closed):
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]{2,62}$")]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    description: Annotated[str, Field(max_length=2000)] = ""
    currency: Literal["EUR", "USD", "GBP"]
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    weight: Annotated[float, Field(ge=0)] = 0
    active: bool = True
    valid_from: Annotated[str, Field(min_length=10)] = "2026-01-01"
    tags: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=32)] = []
    owner: Owner
    rates: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]
    quotas: Annotated[list[Quota], Field(max_length=200)]


class Stored(Plan):
    id: str
    created_at: str
