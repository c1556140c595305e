# The way in. Each target is one small script in scripts/; `make help` lists them.

.DEFAULT_GOAL := build
.PHONY: help build test demo fresh bench booted installed desktop fuzz packages reproducible clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

build: ## bin/oathd and bin/oathctl, after installing what that needs
	@scripts/deps build
	@scripts/build

test: ## everything: formatting, vet, all tests with the race detector, a real pcscd, ykman, oathtool
	@scripts/deps build test
	@scripts/test

demo: ## one seed on two keys, proved; one is lost, a fresh one takes its place; needs no hardware
	@scripts/deps build demo
	@scripts/build
	@scripts/demo

fresh: ## the README, word by word, in bare systems of Debian 12 and 13 (root, network, 15 minutes)
	@scripts/fresh

bench: ## everything that is promised in numbers, measured in one run: docs/benchmarks.md (five minutes)
	@scripts/deps build test
	@scripts/bench

booted: ## the package, installed, used and removed in booted systems of Debian 12 and 13 (root, network, 5 minutes)
	@scripts/booted

installed: ## the rpm and the package for Arch Linux, installed by rpm and pacman, used, updated and removed (root, network, 10 minutes)
	@scripts/deps installed
	@scripts/installed

desktop: ## the search of a real GNOME Shell and of KRunner, and notification servers, without a screen, in booted Debian 12 (root, network, 20 minutes)
	@scripts/desktop

fuzz: ## every fuzz target for FUZZTIME (10s)
	@scripts/deps build
	@scripts/fuzz

packages: ## deb, rpm and Arch packages for amd64 and arm64, in dist/; lintian judges them
	@scripts/deps build packages
	@scripts/packages
	@lintian --fail-on error,warning dist/*.deb

reproducible: ## the packages of the last commit, twice, in different places, and wants the same bytes (15 minutes)
	@scripts/deps build packages
	@scripts/reproducible

clean: ## removes what make built
	rm -rf bin dist
