# Two stages: the build, and an image with nothing but the binary and a C++ runtime. It runs as a
# user without privileges and keeps its log in /data.
#
# Both bases are pinned by digest. The digests are the multi-platform ones that public Dockerfiles
# pin for these tags (rust:1.95.0-bookworm, gcr.io/distroless/cc-debian12:nonroot); to move one, ask
# the registry (`crane digest IMAGE`), never a person.

FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
# libclang: RocksDB's Rust bindings are made from its C headers.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The image has the toolchain; without this rustup would fetch the one that the file names.
ENV RUSTUP_TOOLCHAIN=1.95.0
ARG SOURCE_DATE_EPOCH=0
RUN SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
    RUSTFLAGS="--remap-path-prefix=/usr/local/cargo=cargo --remap-path-prefix=/src=cairn" \
    cargo build --release --locked --bin cairn \
    && strip target/release/cairn \
    && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build /src/target/release/cairn /usr/local/bin/cairn
COPY --from=build --chown=nonroot:nonroot /data /data
USER nonroot
VOLUME /data
EXPOSE 3000 2112
ENV CAIRN_DATA_DIR=/data CAIRN_LISTEN=0.0.0.0:3000 CAIRN_METRICS_LISTEN=0.0.0.0:2112 CAIRN_LOG_FORMAT=json
ENTRYPOINT ["/usr/local/bin/cairn"]
CMD ["serve"]
