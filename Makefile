# pennon: a thin front over CMake (see CMakePresets.json for the builds).
#
#   make            build the program and the library
#   make run        build, index the bundled catalogue, serve the page              PORT=8000
#   make test       build with sanitizers, run every test and check                 JOBS=2
#   make bench      build the benchmarks, compare the index with its peers          ROWS=100000
#   make install    install program, library, headers, manual, completion           PREFIX=/usr/local DESTDIR=
#   make uninstall  remove what the last "make install" of this folder installed    DESTDIR=
#   make clean      remove what was built
#   make help       this text
#
# What is needed is installed first, when make is run by root on Debian; otherwise the missing packages are named.
PREFIX ?= /usr/local
PORT ?= 8000
JOBS ?= $(shell nproc)
ROWS ?= 100000

.PHONY: all run test bench install uninstall clean help packages

all: build/release/pennon

packages:
	@tools/install_packages.sh run

build/release/pennon: packages
	@mkdir -p build
	@cmake --preset release -DPN_WERROR=OFF -DPN_BUILD_TESTS=OFF > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build/release -j $(JOBS) --target pennon pennon_shared pennon_static

run: build/release/pennon
	@build/release/pennon ingest demo/catalogue/products.csv --table build/demo.lance --model demo/model
	@exec build/release/pennon serve --table build/demo.lance --model demo/model --port $(PORT)

test:
	@tools/install_packages.sh test
	@tools/run_tests.sh $(JOBS)

bench: packages
	@cmake --workflow --preset bench
	@python3 bench/ann.py --rows $(ROWS)
	@python3 bench/plot.py build/ann/ann.tsv $(ROWS) image build/ann/image.svg
	@python3 bench/plot.py build/ann/ann.tsv $(ROWS) text build/ann/text.svg

install: build/release/pennon
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"
	@test -n "$(DESTDIR)" || ldconfig 2>/dev/null || true # only root can, and only there it helps

uninstall:
	@tools/uninstall.sh build/release/install_manifest.txt "$(DESTDIR)"

clean:
	@rm -rf build

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile
