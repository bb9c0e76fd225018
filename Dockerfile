# Offshoot with R and fonts. WITH_BUILD_TOOLS=1 adds compilers, for whoever installs R packages from source.
# R packages of one's own are found in /library, or wherever R looks for them.
# Both images have to be the same release of Debian: the worker is linked with that release's R.
ARG BUILD_IMAGE=docker.io/library/rust:1.95.0-bookworm
ARG RUN_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev libpam0g-dev r-base-core pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG PROFILE=release
RUN cargo build --locked --bins --profile ${PROFILE} \
    && folder=$(if [ ${PROFILE} = dev ]; then echo debug; else echo ${PROFILE}; fi) \
    && install -D --strip -t /out target/${folder}/offshoot target/${folder}/offshoot-worker

FROM ${RUN_IMAGE}
ARG WITH_BUILD_TOOLS=0
RUN apt-get update \
    && tools=$(if [ "${WITH_BUILD_TOOLS}" = 1 ]; then echo r-base-dev; fi) \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends r-base-core fonts-dejavu-core ca-certificates ${tools} \
    && rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* \
    # Where the root is read-only, fonts cannot be looked through at the start. A cache is good for folders of the time
    # it knows, of which an image keeps whole seconds.
    && find /usr/share/fonts /usr/local/share/fonts -type d -exec touch --date=@1000000000 {} + \
    && fc-cache -f \
    && useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin offshoot \
    && install -d -o offshoot -g offshoot -m 0711 /data \
    && install -d -o offshoot -g offshoot /library
COPY --from=build /out/ /usr/local/bin/
ENV OFFSHOOT_DATA=/data OFFSHOOT_LISTEN=0.0.0.0:8050 OFFSHOOT_R_LIBRARIES=/library
USER offshoot
VOLUME /data
EXPOSE 8050
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s CMD ["offshoot", "ping"]
ENTRYPOINT ["offshoot"]
CMD ["serve"]
