# write-through-svc: one static binary on an empty image. From the repository's root:
#
#   docker build -f docker/write-through-svc.Dockerfile -t write-through-svc .
#   docker run -p 127.0.0.1:8080:8080 -v write-through-svc-data:/data write-through-svc

ARG RUST_VERSION=1.95
FROM rust:${RUST_VERSION}-slim-trixie AS dependencies
WORKDIR /build
# Static, with the C library too. A target that is named keeps this from what runs during the build.
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN rustc -vV | sed -n 's/^host: //p' >/target-triple
# Up to the end of this stage both services' files are the same, and so are their cached layers.
COPY Cargo.toml Cargo.lock ./
COPY crates/bench/Cargo.toml crates/bench/
COPY crates/compare/Cargo.toml crates/compare/
COPY crates/core/Cargo.toml crates/core/
COPY crates/e2e/Cargo.toml crates/e2e/
COPY crates/http/Cargo.toml crates/http/
COPY crates/linearizability/Cargo.toml crates/linearizability/
COPY crates/testkit/Cargo.toml crates/testkit/
COPY crates/tidy/Cargo.toml crates/tidy/
COPY crates/write-behind-svc/Cargo.toml crates/write-behind-svc/
COPY crates/write-through-svc/Cargo.toml crates/write-through-svc/
COPY docker/stub-crates.sh docker/
RUN docker/stub-crates.sh \
 && cargo build --release --locked --target "$(cat /target-triple)" -p write-behind-svc -p write-through-svc

FROM dependencies AS build
ARG REVISION=
ENV BUILD_REVISION=${REVISION}
COPY migrations migrations
COPY crates crates
# Cargo goes by times: these sources may be older than what was built of the stubs.
RUN find crates -name '*.rs' -exec touch {} + \
 && cargo build --release --locked --target "$(cat /target-triple)" -p write-through-svc \
 && mkdir -p /data /image/etc/ssl/certs \
 && cp "target/$(cat /target-triple)/release/write-through-svc" /image/ \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
# The one of Cargo.toml.
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="write-through-svc" \
      org.opencontainers.image.description="A write is answered when the database has committed it and the cache holds it." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /data /data
# The embedded parts, if they are used, keep their files in data/ below the working folder.
WORKDIR /
VOLUME /data
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/write-through-svc", "healthcheck"]
ENTRYPOINT ["/write-through-svc"]
