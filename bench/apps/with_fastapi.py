"""FastAPI: pydantic models in, response models where answers are checked, a dependency for the token."""

from typing import Annotated, Any

import work
from fastapi import Depends, FastAPI, HTTPException, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from models_pydantic import Plan, Stored

app = FastAPI()
bearer = HTTPBearer()


def allow(role):
    async def check(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]):
        if not work.may(credentials.credentials, role):
            raise HTTPException(403)

    return Depends(check)


@app.get("/plans/{name}", dependencies=[allow("reader")])
async def get_plan(name: Annotated[str, Path(pattern=work.NAME)]) -> dict[str, Any]:
    return work.PLANS[name]


@app.post("/plans", status_code=201, dependencies=[allow("member")])
async def create_plan(plan: Plan) -> dict[str, Any]:
    return work.create(plan.model_dump(exclude_unset=True))


@app.post("/checked/plans", status_code=201, dependencies=[allow("member")])
async def create_checked_plan(plan: Plan) -> Stored:
    return work.create(plan.model_dump(exclude_unset=True))


@app.get("/items", dependencies=[allow("reader")])
async def list_items(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[dict[str, Any]]:
    return work.ITEMS[:limit]
