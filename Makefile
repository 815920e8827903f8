# The two commands for a newcomer are `make demo` and `make test`; `make` lists the rest.
# Everything is installed into .venv; nothing outside this folder is touched.

PYTHON ?= python3
# Not taken from the environment: `make clean` removes it.
VENV = .venv
ARGS =

RUN = $(VENV)/bin/python -m

# What a user's own pip or Python settings must not change.
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
unexport PIP_PREFIX PIP_TARGET PYTHONHOME PYTHONPATH

.PHONY: help demo test check docs bench chaos sweep e2e clean

help:
	@echo 'make demo    the bridge to play with: no account, nothing leaves this machine'
	@echo 'make test    run the tests'
	@echo 'make check   format, lint, types, import rules and tests: what CI runs'
	@echo 'make docs    write the parts of docs/ that the program knows best'
	@echo 'make bench   measure the bridge beside a bare Bolt app'
	@echo 'make chaos   let everything go wrong for a minute; count what was promised'
	@echo 'make sweep   die at every crash point there is, and other slow tests'
	@echo 'make e2e     the page in a browser, and an installation as users make it (slow;'
	@echo '             wants Debian'"'"'s chromium and a network)'
	@echo 'make clean   remove .venv and everything else that was made here'
	@echo
	@echo 'Options are passed on: make test ARGS="-k recipient", make demo ARGS="--help"'
	@echo 'Another Python: make PYTHON=python3.12 demo'

demo: $(VENV)/.ready
	@$(RUN) bridge demo $(ARGS)

test: $(VENV)/.ready-test
	@$(RUN) pytest $(ARGS)

check: $(VENV)/.ready-dev
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy
	@# The package has no __main__, and scripts fail where the path has a blank.
	$(VENV)/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(RUN) pytest $(ARGS)

docs: $(VENV)/.ready
	@$(RUN) docs.generate

bench: $(VENV)/.ready-test
	@$(RUN) bench $(ARGS)

chaos: $(VENV)/.ready-test
	@$(RUN) chaos $(ARGS)

sweep: $(VENV)/.ready-test
	@$(RUN) pytest -m chaos $(ARGS)

e2e: $(VENV)/.ready-e2e
	@$(RUN) pytest -m e2e $(ARGS)

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- installing ---------------------------------------------------------------------
# Each stamp stands for one set of packages; it is renewed when pyproject.toml changes.

$(VENV)/.ready: EXTRAS =
$(VENV)/.ready-test: EXTRAS = [test]
$(VENV)/.ready-test: ALSO = $(VENV)/.ready
$(VENV)/.ready-e2e: EXTRAS = [e2e]
$(VENV)/.ready-e2e: ALSO = $(VENV)/.ready $(VENV)/.ready-test
$(VENV)/.ready-dev: EXTRAS = [test,dev]
$(VENV)/.ready-dev: ALSO = $(VENV)/.ready $(VENV)/.ready-test

STAMPS = $(VENV)/.ready $(VENV)/.ready-test $(VENV)/.ready-dev $(VENV)/.ready-e2e
$(STAMPS): pyproject.toml $(VENV)/bin/python

# Gone, or a link to a Python that is gone: then the stamps count for nothing.
$(VENV)/bin/python: ;

IS_NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))

ifndef IT_IS_OUR_TURN

# Two of these at once would write into one folder, so they take turns. The lock is on
# an open file: it goes when its holder goes, however that ends.
TAKE_TURNS = import fcntl, subprocess, sys; lock = open("pyproject.toml"); \
	fcntl.flock(lock, fcntl.LOCK_EX); \
	sys.exit(subprocess.call(sys.argv[1:], close_fds=False))

$(STAMPS):
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "Python 3.11 or newer is needed, but there is no '$(PYTHON)'." \
			"Try: make PYTHON=python3.12 $(firstword $(MAKECMDGOALS))" >&2; exit 1; }
	@"$(PYTHON)" -c '$(IS_NEW_ENOUGH)' || { \
		echo "Python 3.11 or newer is needed, but '$(PYTHON)' is" \
			"$$("$(PYTHON)" --version 2>&1)." \
			"Try: make PYTHON=python3.12 $(firstword $(MAKECMDGOALS))" >&2; exit 1; }
	@"$(PYTHON)" -c '$(TAKE_TURNS)' $(MAKE) --silent IT_IS_OUR_TURN=1 $@

else

$(STAMPS):
	@echo 'Installing into $(VENV) (a quarter of a minute) …' >&2
	@{ "$(VENV)/bin/python" -m pip --version && \
		"$(VENV)/bin/python" -c '$(IS_NEW_ENOUGH)'; } >/dev/null 2>&1 || \
		"$(PYTHON)" -m venv --clear "$(VENV)" || { \
		echo 'Could not make a virtual environment.' \
			'On Debian and Ubuntu: sudo apt install python3-venv' >&2; exit 1; }
	@"$(VENV)/bin/python" -m pip install --quiet --editable '.$(EXTRAS)' || { \
		echo 'Could not install the dependencies. Behind a proxy or an index of your' \
			'own, set HTTPS_PROXY or PIP_INDEX_URL and run this again.' >&2; exit 1; }
	@touch $@ $(ALSO)

endif
