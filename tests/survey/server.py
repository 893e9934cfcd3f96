"""The server in a process of its own, to be killed: python -m tests.survey.server FILE PORT."""

import sys
from pathlib import Path

import uvicorn

from mitune.survey.app import create_app
from mitune.survey.storage import Answers
from tests.survey.conftest import a_study

if __name__ == "__main__":
    app = create_app(a_study(), Answers(Path(sys.argv[1])))
    uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
