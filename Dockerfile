# syntax=docker/dockerfile:1

# Tags are for those who read and update this file: the digests say what is used, in all builds of a commit.
FROM gcr.io/distroless/nodejs24-debian13:latest@sha256:96df910f65fdd8a21d00d14d4cc046adcfcf3ced2d5e96be4b39ebde9f4866c6 AS runtime

# Not the slim one: this one has a C compiler.
FROM node:24-trixie@sha256:be40f6a87b9b22215ddb20da0a2320a5c6d583fe3ee3b0024d9fa4f05b40c8fd AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
# Built by the Node that will run it: what V8 caches at build time fits no other.
COPY --from=runtime /nodejs/bin/node /usr/local/bin/node
COPY scripts scripts
COPY examples examples
COPY native native
COPY src src
# Seconds since 1970 that `serve --version` shows as build date; without it, the time of the build.
ARG SOURCE_DATE_EPOCH
# The emulator and the demo stay out of the image.
RUN npm run build && ls dist/memory.node dist/start-*.cache && rm dist/lab.js

FROM runtime
LABEL org.opencontainers.image.title="akv-csi-provider"
LABEL org.opencontainers.image.description="Azure Key Vault provider for the Kubernetes Secrets Store CSI Driver"
LABEL org.opencontainers.image.licenses="MIT"
LABEL org.opencontainers.image.version="0.1.0"
COPY --from=build /src/dist /app
ENV NODE_ENV=production
# Authorities of the image and those mounted beside them.
ENV SSL_CERT_DIR=/etc/ssl/certs
# The C library overwrites memory when it is freed, since it holds secrets, and returns it: one heap for all threads, and
# blocks of their own for what is large.
ENV GLIBC_TUNABLES=glibc.malloc.perturb=204:glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072
# No flags of V8 here: with any, it would refuse the code it has cached. The program keeps its heap small by itself.
ENTRYPOINT ["/nodejs/bin/node", "/app/main.js", "serve"]
