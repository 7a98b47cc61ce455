# One binary in an image without a shell, run as nobody.
#
# The base images are pinned by digest. Both digests were read in public Dockerfiles that pin the
# same tags: rust in sondrateconsulting/jitgen, distroless in ak5/charon, each the same in several
# other repositories. To move on: `docker buildx imagetools inspect <image>:<tag>`.
# What apt-get brings into the build stage (libclang, for generating bindings) is not pinned, and
# not part of the image.

# The release that rust-toolchain.toml names; naming it again spares rustup fetching clippy and rustfmt.
FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /cairn
COPY . .
# Nothing that is built carries the time of building. The caches are shortcuts of this machine's.
ENV SOURCE_DATE_EPOCH=0 RUSTUP_TOOLCHAIN=1.95.0
RUN --mount=type=cache,target=/cairn/target --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked --package cairn --bin cairn \
    && install --strip --mode 0755 target/release/cairn /usr/local/bin/cairn \
    && install --directory --owner 65532 --group 65532 --mode 0700 /data

FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build /usr/local/bin/cairn /usr/local/bin/cairn
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
# A container is reached from outside itself; elsewhere the defaults listen on the loopback only.
ENV CAIRN_DATA_DIR=/data CAIRN_LISTEN=0.0.0.0:3000 CAIRN_METRICS_LISTEN=0.0.0.0:2112
VOLUME /data
EXPOSE 3000 2112
ENTRYPOINT ["/usr/local/bin/cairn"]
CMD ["serve"]
