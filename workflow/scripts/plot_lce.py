import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.csv_tables import read_table
    from intermodel.lce import figures, map_figure
    from intermodel.lce.agreement_figure import draw_agreement
    from intermodel.lce.enrichment_figure import draw_enrichment
    from intermodel.lce.files import read_embedding
    from intermodel.plotting import load_seaborn, save

    load_seaborn()
    embedding, about = read_embedding(snakemake.input.embedding)
    output = snakemake.output
    save(map_figure.draw_map(embedding, about), output.map)
    save(figures.draw_distances(embedding, about), output.distances)
    save(draw_enrichment(read_table(snakemake.input.enrichment), embedding, about), output.enrichment)
    save(figures.draw_categories(embedding, about), output.categories)
    save(figures.draw_complementarity(embedding, about), output.complementarity)
    if hasattr(output, "performance"):
        table = read_table(snakemake.input.performance)
        save(figures.draw_crossing(table, about.settings.level), output.performance)
    if hasattr(output, "agreement"):
        compared = (read_table(snakemake.input[name]) for name in ("geometries", "agreement"))
        save(draw_agreement(*compared, about), output.agreement)
