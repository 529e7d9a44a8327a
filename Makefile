# make run     everything, from an empty folder; Ctrl-C stops it     (ARGS="--no-demo --bind 127.0.0.1:9000")
# make test    the whole test suite on real PostgreSQL and Redis     (ARGS="-k refund")
# make check   format, lint, types, import contracts, migrations, production settings, secrets, known vulnerabilities

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
stamp = .venv/.$(1)-$(shell cat $(2) | sha256sum | cut -c1-16)
RUNTIME := $(call stamp,runtime,requirements.txt)
DEV := $(call stamp,dev,requirements.txt requirements-dev.txt)
RANDOM_HEX = $$($(BIN)/python -c "import secrets; print(secrets.token_hex(40))")
RANDOM_KEY = $$($(BIN)/python -c "import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())")
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

# Safe values, so that the production settings themselves are what `check --deploy` looks at.
PRODUCTION = DJANGO_SETTINGS_MODULE=config.settings.production DATA_DIR=/tmp/counterfoil-check PUBLIC_URL=https://pay.example \
	ALLOWED_HOSTS=pay.example AUDIT_ANCHOR_FILE=/tmp/counterfoil-check/anchor DATABASE_URL="postgresql://app@db.example/counterfoil?sslmode=verify-full" \
	REDIS_URL=redis://redis.example/0 TRUSTED_PROXIES=1 SECRET_KEY=$(RANDOM_HEX) METRICS_TOKEN=$(RANDOM_HEX) \
	SEALING_KEYS=check:$(RANDOM_KEY) JWT_SIGNING_KEYS=check:$(RANDOM_KEY)

.PHONY: run test check format check-format check-lint check-secrets check-imports check-types check-migrations check-production check-audit
.DEFAULT_GOAL := run

run: $(RUNTIME)
	@exec $(BIN)/python manage.py start $(ARGS)

test: $(DEV)
	$(BIN)/python -m pytest -n 2 $(ARGS)

CHECKS := check-format check-lint check-secrets check-imports check-types check-migrations check-production check-audit
check: $(CHECKS)
$(CHECKS): $(DEV)

check-format:
	$(BIN)/ruff format --check .
check-lint:
	$(BIN)/ruff check .
check-secrets:
	$(BIN)/python -m tests.scan_secrets
check-imports:
	$(BIN)/lint-imports
check-types:
	$(BIN)/mypy
check-migrations:
	DJANGO_SETTINGS_MODULE=config.settings.test $(BIN)/python -W ignore manage.py makemigrations --check --dry-run
check-production:
	@echo "manage.py check --deploy, on the production settings"
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
check-audit:
	@found="$$($(BIN)/pip-audit --requirement requirements.txt --disable-pip --no-deps --progress-spinner off --timeout 5 2>&1)" \
		&& echo "pip-audit: no known vulnerability" \
		|| case "$$found" in \
			*Traceback*|*rror:*) echo "pip-audit: not done, its database cannot be reached without the internet (never a gate)" ;; \
			*) echo "$$found"; echo "pip-audit: read above (never a gate)" ;; \
		esac

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed"; exit 1; }
	$(PYTHON) -m venv .venv

$(RUNTIME): | $(BIN)/python
	$(PIP) -r requirements.txt
	@touch $@

$(DEV): | $(RUNTIME)
	$(PIP) -r requirements-dev.txt
	@touch $@
