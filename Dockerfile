# Not tried: there was no container engine where this was written. What it does, step by
# step, was done by hand on a plain machine. See docs/deploy/docker.md.

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY bridge ./bridge
RUN python -m venv /opt/bridge \
    && /opt/bridge/bin/python -m pip install --no-cache-dir '.[postgres]'

FROM python:3.13-slim
RUN groupadd --system --gid 10001 bridge \
    && useradd --system --uid 10001 --gid bridge --home-dir /data \
        --shell /usr/sbin/nologin bridge \
    && install --directory --owner=bridge --group=bridge --mode=0700 /data
COPY --from=build /opt/bridge /opt/bridge
ENV PATH=/opt/bridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    BRIDGE_DATA_DIR=/data
USER bridge
WORKDIR /data
VOLUME /data
# SIGTERM takes no new commands and lets requests under way end; give it 60 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["bridge", "healthcheck"]
ENTRYPOINT ["bridge"]
CMD ["run"]
