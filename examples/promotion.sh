#!/usr/bin/env bash
# The life of a model in a team: trained, registered, proposed, reviewed, merged, applied, released,
# rolled back, verified. Runs in a new folder, with a bare repository as the team's remote:
#
#     bash promotion.sh [FOLDER]
set -euo pipefail
folder=$(mkdir -p "${1:-promotion}" && cd "${1:-promotion}" && pwd)
export GIT_AUTHOR_NAME="Ada" GIT_AUTHOR_EMAIL="ada@example.org"
export GIT_COMMITTER_NAME="Ada" GIT_COMMITTER_EMAIL="ada@example.org"

run() { # print a command as one types it, then run it
  printf '\n$'
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:@=+-]+$ ]] && printf ' %s' "$word" || printf ' "%s"' "$word"
  done
  printf '\n'
  "$@" 2>&1
}
merge() { # what a reviewer does with the button of a pull request
  printf '\n# Bo merges pull request #%s.\n' "$2"
  git fetch -q origin
  GIT_AUTHOR_NAME=Bo GIT_AUTHOR_EMAIL=bo@example.org \
    git merge -q --no-ff -m "Merge pull request #$2 from team/$1" "origin/$1"
  git push -q origin main
}

git init -q --bare -b main "$folder/remote.git"
git init -q -b main "$folder/clone"
cd "$folder/clone"
git remote add origin "$folder/remote.git"
cat > train.py << 'PYTHON'
"""Predicts a price as a multiple of the area; what is learned is the factor."""
import sys

import gitml as mlflow

AREAS, PRICES = (50, 80, 120), (151_000, 239_000, 362_000)


class Price(mlflow.pyfunc.PythonModel):
    def __init__(self, factor):
        self.factor = factor

    def predict(self, context, model_input):
        return [self.factor * area for area in model_input]


with mlflow.start_run():
    factor = float(sys.argv[1])
    error = max(abs(factor * area - price) for area, price in zip(AREAS, PRICES, strict=True))
    mlflow.log_param("factor", factor)
    mlflow.log_metric("max_error", error)
    mlflow.pyfunc.log_model(
        artifact_path="model", python_model=Price(factor), registered_model_name="Price"
    )
PYTHON
mkdir registry
cat > registry/Price.yaml << 'YAML'
model: Price
stages: {} # nothing is live yet
better: {max_error: lower}
gates:
  Production:
    - metrics.max_error < 20000
    - metrics.max_error < production.metrics.max_error # must beat what is live
    - source: clean
YAML
cat > gitml.yaml << 'YAML'
registry:
  signatures: required
  signers:
    "*": {"*": [ada@example.org]} # any model, any stage
YAML
ssh-keygen -q -t ed25519 -N "" -C ada@example.org -f "$folder/key"
echo "ada@example.org $(cat "$folder/key.pub")" > registry/allowed_signers
git config gpg.format ssh
git config user.signingKey "$folder/key"
gitml init > /dev/null 2>&1
gitml remote add storage "$folder/storage" > /dev/null 2>&1
git add .
git commit -q -m "Train a price model, declare its gates"
git push -q -u origin main

run python train.py 2900
run python train.py 3000
run gitml registry list
run gitml push

run gitml registry propose Price 1 Production -m "the first one"
merge promote/Price-v1-production 1
run gitml registry apply --push

run gitml registry propose Price 2 Production -m "a better factor"
git fetch -q origin
git checkout -q promote/Price-v2-production
run gitml registry check
git checkout -q main
merge promote/Price-v2-production 2
run gitml registry apply --push
run git tag --sort=creatordate --format "%(refname:short) %(taggername): %(subject)"
run gitml registry release "Price#Production#4" --output ../release
run cat ../release/notes.md
run gto show Price

run gitml registry rollback Price Production -m "complaints about large flats"
merge promote/Price-v1-production-2 3
run gitml registry apply --push
run gto show Price
run git log --format="%an: %s" main
run gitml registry history Price
run gitml registry verify

printf '\n# Eve lets version 2 in again, with a tag of her own.\n'
GIT_COMMITTER_NAME=Eve GIT_COMMITTER_EMAIL=eve@example.org git tag -a -m "Price version 2 moved to Production" \
  "Price#Production#99" "Price@v2.0.0^{commit}"
run gitml registry verify || echo "(exit code $?)"
