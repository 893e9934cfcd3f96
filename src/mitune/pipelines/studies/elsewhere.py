"""Published tables that no study here answers to: where our side of them comes from."""

ELSEWHERE = {
    "mitune_table01_alignment": (
        "Ours: pipeline `mitune`, the report's table of all arms. The miniature's prompts are not "
        "T2I-CompBench's, and its judge is neither BLIP-VQA nor UniDet; with conf/sd21 and "
        "`source: {kind: t2i_compbench}` our rows stand below these in the report. R and guidance "
        "of the published row were searched for, ours are fixed."
    ),
    "mitune_table02": (
        "Ours: pipeline `quality`. Distances are to scenes of the miniature's world, not to COCO."
    ),
    "mitune_table04": (
        "Ours: pipeline `mitune` in conf/sdxl. The HPS half of this table could not be read."
    ),
    "mitune_table05": (
        "Ours: `prompts.source: {kind: diffusion_db}` and an arm with `real: 1` on a manifest of "
        "DiffusionDB's own pictures, whose captions are the prompts. The paper's splits have "
        "contradicting sizes."
    ),
    "mitune_table06": "Ours: `kedro survey metrics` and pipeline `survey_analysis`.",
    "mitune_table07": "Ours: `kedro survey methods` and pipeline `survey_analysis`.",
    "mitune_table09": "Ours: `prompts.source: {kind: hps}` and the metric `hps` (docs/metrics.md).",
    "mitune_text_values": (
        "Ours: the agreement of each round (report), pipeline `agreement`, and the distributions "
        "by rank above. The published tau is over three candidates a prompt."
    ),
    "rfmi_table1": (
        "Ours: conf/sd35 and, as a miniature, conf/miniature-sd3. One round of rectified flow."
    ),
}
