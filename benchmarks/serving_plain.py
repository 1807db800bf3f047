"""What most people write first: FastAPI around SentenceTransformer.encode.

python serving_plain.py MODEL_FOLDER PORT
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import cos_sim


class Pair(BaseModel):
    a: str
    b: str


model = SentenceTransformer(sys.argv[1], device="cpu")
app = FastAPI()


@app.get("/ready")
def ready() -> str:
    return "ready"


@app.post("/similarity")
def similarity(pair: Pair) -> dict[str, float]:
    vectors = model.encode([pair.a, pair.b])
    return {"score": float(cos_sim(vectors[0], vectors[1]))}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False)
