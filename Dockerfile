# The program, and nothing else: every role is one of its commands.
#   docker build -t natter .
# Its symbols, for a debugger or perf outside of the container:
#   docker build --target symbols -o . .
FROM node:22-bookworm-slim AS web
WORKDIR /web
COPY edge/web .
RUN npm ci && npm run build

FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libssl-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /natter
COPY . .
COPY --from=web /web/dist edge/web/dist
RUN cargo build --profile dist --locked -p natter && scripts/split-symbols target/dist/natter

FROM scratch AS symbols
COPY --from=build /natter/target/dist/natter.debug /

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g && rm -rf /var/lib/apt/lists/*
COPY --from=build /natter/target/dist/natter /usr/local/bin/natter
# Needs no right and writes no file.
USER 65532:65532
EXPOSE 3000 9464
ENTRYPOINT ["natter"]
