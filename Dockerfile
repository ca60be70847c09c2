# The workflow with the pinned packages of requirements.lock: docker build -t intermodel .
#   The demo:        docker run --rm -v "$PWD/results:/intermodel/results" intermodel
#   A study of yours: docker run --rm -v "$PWD:/study" -w /study intermodel report --configfile study.yaml
# With GPUs add --gpus all; the packages bring their own CUDA libraries.
FROM python:3.11-slim

WORKDIR /intermodel
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .

# Caches go where any user may write, so that the container can run as yourself (--user "$(id -u):$(id -g)").
ENV HOME=/tmp OMP_NUM_THREADS=1 MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["snakemake", "--snakefile", "/intermodel/Snakefile", "--workflow-profile", "/intermodel/profiles/default"]
CMD ["report"]
