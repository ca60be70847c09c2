"""From the configuration to a validated study, or to all its problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from intermodel.engine.errors import UserError
from intermodel.study.checks import check
from intermodel.study.problems import Problem, StudyError, dotted, from_validation
from intermodel.study.study import Study


def load_study(
    config: Mapping[str, Any],
    files: Sequence[str | Path] = (),
    check_files: bool = True,
    layer_cache: str | Path | None = None,
) -> Study:
    """Validate a configuration.

    Parameters
    ----------
    config
        The configuration as nested dicts.
    files
        The YAML files that it came from; read again to find keys given twice, which YAML readers drop silently.
    check_files
        Whether to look for the folders and files that the study names.
    layer_cache
        Folder for the layer names of the models, which cost seconds to find; None: layers are not checked.

    Raises
    ------
    StudyError
        With one line per problem: the key's path, what was found, what was expected.
    """
    source = str(files[-1]) if files else "study"
    problems = [problem for file in files for problem in _repeated_keys(Path(file))]
    try:
        study = Study.model_validate(dict(config))
    except ValidationError as error:
        raise StudyError(problems + from_validation(error, Study, config), source) from None
    problems += check(study, check_files=check_files, layer_cache=None if layer_cache is None else Path(layer_cache))
    if problems:
        raise StudyError(problems, source)
    return study


def read_study(path: str | Path, **options: Any) -> Study:
    """Read and validate a study file (see `load_study` for the options and errors)."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist; give the path of a study file (YAML).")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML ({place}); correct it and run again.") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} holds {type(config).__name__}, expected keys and values; see config/README.md.")
    return load_study(config, [path], **options)


def _repeated_keys(path: Path) -> list[Problem]:
    """Keys given twice in one mapping of a YAML file, of which readers silently keep the last."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []  # whoever reads the values complains about these
    return list(_repeated(root, (), path))


def _repeated(node: yaml.Node | None, location: tuple[str | int, ...], path: Path) -> Iterator[Problem]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            here = (*location, name)
            if name in seen:
                line = key.start_mark.line + 1
                yield Problem(
                    dotted(here),
                    f"is given twice (again in line {line} of {path}), expected once; rename or remove one",
                )
            seen.add(name)
            yield from _repeated(value, here, path)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield from _repeated(value, (*location, position), path)
