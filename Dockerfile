# NAScope in a container: non-root, one port, one writable volume.
#   docker build -t nascope .                                CPU and CUDA: torch as the default index gives it
#   docker build --build-arg TORCH_INDEX=URL -t nascope .    torch from another index, such as one of CPU-only wheels
#   docker run --init -p 127.0.0.1:8501:8501 -v nascope:/app/home nascope
#   docker run --gpus all --init -p 127.0.0.1:8501:8501 -v nascope:/app/home nascope
FROM python:3.11-slim AS build
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.txt constraints.txt ./
RUN python -m venv /venv \
    && if [ -n "$TORCH_INDEX" ]; then /venv/bin/pip install --index-url "$TORCH_INDEX" "$(grep -o '^torch==[^ ]*' requirements.txt)"; fi \
    && /venv/bin/pip install -r requirements.txt

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home nascope && mkdir -p /app/home && chown 10001 /app/home
WORKDIR /app
COPY --from=build /venv /venv
COPY .streamlit .streamlit
COPY app.py requirements.txt ./
COPY pages pages
COPY nascore nascore
COPY data data
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 NASCOPE_HOME=/app/home NASCOPE_OPEN=1 STREAMLIT_SERVER_ADDRESS=0.0.0.0
USER 10001
VOLUME /app/home
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py"]
