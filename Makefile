# Offshoot's tasks. `make serve` and `make test` need nothing but the Rust toolchain, make and apt.

.PHONY: serve test hostile plots-check setup setup-tests setup-bench check fuzz bench bench-quick bench-core test-newer-r deb deb-check docker-check r-tests r-check r-docs clean

# Starts a server to try things out on http://127.0.0.1:8050.
serve: setup
	cargo build --release --locked --bins
	cargo run --release --locked --quiet --bin offshoot -- serve --demo $(ARGS)

# Every test.
test: setup-tests
	cargo test --locked --no-fail-fast

# Sessions and clients that mean harm: those among the tests, and then ten thousand sessions, one in ten of them hostile.
hostile: setup-tests
	cargo test --locked --test it -- hostile:: operation::gate:: operation::logins::
	cargo test --locked --release --test soak -- --nocapture

# The plots of several hundred examples in R's help pages, in some minutes: as R's png() draws them, byte by byte.
# PACKAGES="grid lattice" for those of these packages.
plots-check: setup-tests
	cargo test --locked --test plots -- --nocapture

# Installs what is missing: R with its headers, build tools, R packages that people load.
setup:
	@./scripts/setup

# The same, and what only the tests need.
setup-tests:
	@./scripts/setup tests

# The same, and what Offshoot is measured beside.
setup-bench:
	@./scripts/setup bench

# What the tests do not see: form, lints, what nobody uses, documentation.
check: setup
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	./scripts/unused
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

# Offshoot beside Rserve, plumber, Rscript and R over pipes, a quarter of an hour at the most, on a machine that
# does nothing else: writes benches/report/ and a section of the README.
bench: setup-bench
	cargo bench --locked --bench compare
	cargo bench --locked --bench prompt

# Less of the same, in three minutes at the most: writes benches/report/quick/.
bench-quick: setup-bench
	cargo bench --locked --bench compare -- --quick

# Offshoot alone: start, interrupts, projects; encoders, decoders, frames and forks, each beside the fastest library or
# system call for the same work; and R's prompt, beside a process of R.
bench-core: setup-bench
	cargo bench --locked --bench core --bench micro --bench prompt


# Five minutes for each fuzz target; SECONDS=60 for less.
fuzz: setup
	@./scripts/fuzz $(SECONDS)

# The tests against R of Debian 13 and of Debian unstable, each in a root folder of its own. Needs root.
test-newer-r: setup-tests
	@./scripts/test-newer-r $(RELEASES)

# The Debian packages, of the server and of the R packages, into target/debian/.
deb:
	@./scripts/setup deb
	@./scripts/build-deb
	@./scripts/build-r-deb

# Installs, runs, upgrades and removes it on a Debian 12 that debootstrap makes. Needs root.
deb-check:
	@./scripts/setup deb
	@./scripts/deb-check

# Builds the Dockerfile without a Docker engine or a registry, and tries the image. Needs root.
docker-check: setup
	@./scripts/docker-check

# R's own regression tests in sessions: they print the same without and with the sandbox. Needs root.
r-tests: setup-tests
	@./scripts/r-tests $(TESTS)

# The R packages in r-client/, as CRAN checks them.
r-check: setup-tests
	@./scripts/r-check

# The help pages and the vignette of the R package; needs roxygen2, and a demonstration server that runs.
r-docs: setup-tests
	@./scripts/r-docs

clean:
	cargo clean
