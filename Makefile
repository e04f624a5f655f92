# MetaTutor: `make help` lists the targets. For GNU make on Linux and macOS.
PYTHON ?= python3
# PyTorch's index of CPU wheels, see README.md; empty: the usual package index
TORCH_INDEX ?=
CHAPTERS ?= $(wildcard chapters/*.ipynb)

VENV := .venv
PY := $(VENV)/bin/python
INSTALL := $(PY) -m pip install --disable-pip-version-check -c constraints.txt

# Files in $(VENV) that say what has been installed there
MADE := $(VENV)/made
BOOK := $(VENV)/book-ready
TEST := $(VENV)/test-ready
DEV := $(VENV)/dev-ready

.DEFAULT_GOAL := help
.PHONY: help book test run chapters lint verify ledger benchmark clean distclean

help: ## list the targets · 列出所有目标
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

book: $(BOOK) ## build both sites into _build/html, without torch · 构建中英文网站
	$(PY) book/build.py

test: $(TEST) ## run all tests and all chapters · 运行全部测试和各章
	$(check-torch)
	$(PY) -m pytest

run: $(TEST) $(DEV) ## open the chapters in JupyterLab · 在 JupyterLab 中打开各章
	$(PY) -m jupyterlab chapters

chapters: $(TEST) ## run the chapters and store their outputs · 运行各章并保存输出
	$(PY) book/execute.py $(CHAPTERS)

lint: $(DEV) ## check style and format · 检查代码风格与格式
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

verify: $(TEST) ## measure the ledger's quick figures again, within ten minutes · 十分钟内重新测量实验记录里较快的数字
	$(PY) -m metatutor.experiments verify --ledger book/results.json

ledger: $(TEST) ## repeat the long runs of the ledger · 重做实验记录里的长时间实验
	$(PY) -m metatutor.experiments --ledger book/results.json sinusoid
	$(PY) -m metatutor.experiments --ledger book/results.json omniglot_challenge baseline
	$(PY) -m metatutor.experiments --ledger book/results.json omniglot_challenge

benchmark: $(TEST) ## time meta-gradients, a quarter of an hour · 测量元梯度的时间
	$(PY) -m metatutor.benchmark --json book/benchmark.json

clean: ## remove the site and caches · 删除网站和缓存
	rm -rf _build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find metatutor book tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment too · 连同虚拟环境一起删除
	rm -rf $(VENV)

$(MADE):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 15) and "Python 3.11 to 3.14 is needed, this is %d.%d: try make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(BOOK): $(MADE) constraints.txt book/requirements.txt
	$(INSTALL) -r book/requirements.txt
	@touch $@

$(TEST): $(BOOK) tests/requirements.txt chapters/requirements.txt pyproject.toml
ifneq ($(strip $(TORCH_INDEX)),)
	# both from one index; what they need comes from the usual one below
	$(INSTALL) --no-deps --index-url $(TORCH_INDEX) torch torchvision
endif
	$(INSTALL) -r tests/requirements.txt -r chapters/requirements.txt -e .
	$(check-torch)
	@touch $@

$(DEV): $(MADE) constraints.txt requirements-dev.txt
	$(INSTALL) -r requirements-dev.txt
	@touch $@

# Builds of torch and torchvision from different indexes fail with an obscure
# "operator torchvision::nms does not exist".
define check-torch
@out=$$($(PY) -c 'import torch, torchvision' 2>&1) || { \
	printf '%s\n' "$$out" | tail -n 1; \
	$(PY) -m pip list 2>/dev/null | grep '^torch'; \
	echo 'torch and torchvision do not work together: both must be there, from the same'; \
	echo 'index. Install them again: make distclean, then make test.'; \
	echo 'torch 与 torchvision 不配套：两者都要装，且来自同一个索引。请先 make distclean，再 make test。'; \
	exit 1; }
endef
