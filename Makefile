# pennon: a thin front over CMake (see CMakePresets.json for the builds).
#
#   make run      install what is needed, build, index the bundled catalogue, serve the page
#   make test     install what is needed, build with sanitizers, run every test
#   make install  PREFIX=/usr/local, DESTDIR for packagers
PREFIX ?= /usr/local
PORT ?= 8000
JOBS ?= $(shell nproc)

.PHONY: all run test bench install uninstall clean packages

all: build/release/pennon

packages:
	@tools/install_packages.sh run

build/release/pennon: packages
	@cmake --preset release -DPN_WERROR=OFF -DPN_BUILD_TESTS=OFF -DCMAKE_INSTALL_PREFIX=$(PREFIX) > build-release.log 2>&1 || (cat build-release.log; rm -f build-release.log; exit 1)
	@rm -f build-release.log
	@cmake --build build/release -j $(JOBS) --target pennon pennon_shared pennon_static

run: build/release/pennon
	@build/release/pennon ingest demo/catalogue/products.csv --table build/demo.lance --model demo/model
	@exec build/release/pennon serve --table build/demo.lance --model demo/model --port $(PORT)

test:
	@tools/install_packages.sh test
	@tools/run_tests.sh $(JOBS)

bench: packages
	@cmake --workflow --preset bench

install: build/release/pennon
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX)

uninstall:
	@test -f build/release/install_manifest.txt || { echo "pennon: not installed from here" >&2; exit 1; }
	@sed 's|^|$(DESTDIR)|' build/release/install_manifest.txt | xargs -r rm -f

clean:
	@rm -rf build
