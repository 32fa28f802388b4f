"""What a pickle of torch.save asks for, read from its opcodes. Nothing is unpickled."""

from __future__ import annotations

import pickletools

#: Modules and names that a dictionary of tensors needs.
_TENSORS = frozenset(
    {
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_tensor_v3"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch._utils", "_rebuild_parameter_with_state"),
        ("torch._tensor", "_rebuild_from_type_v2"),
        ("torch.nn.parameter", "Parameter"),
        ("torch.serialization", "_get_layout"),
        ("torch", "Size"),
        ("torch", "device"),
        ("torch.storage", "UntypedStorage"),
        ("torch.storage", "TypedStorage"),
    }
)


#: Bytes of a pickle that are looked at: a module's class is named at its beginning, and reading opcodes is slow.
LOOKED_AT = 8 << 10


def holds_only_tensors(pickle: bytes) -> bool:
    """Whether what a pickle begins with names nothing but what tensors and their containers are made of.

    :param pickle: Its beginning, which may be cut anywhere.
    """
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                if not _is_of_tensors(module, name):
                    return False
            elif opcode.name == "STACK_GLOBAL":
                if len(texts) < 2 or not _is_of_tensors(texts[-2], texts[-1]):
                    return False
            elif isinstance(argument, str):
                texts.append(argument)
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError):
        return len(pickle) == LOOKED_AT  # it goes on
    return True


def _is_of_tensors(module: str, name: str) -> bool:
    is_storage_or_dtype = module == "torch" and (name.endswith("Storage") or name.islower())
    return (module, name) in _TENSORS or is_storage_or_dtype or (name.endswith("Tensor") and module == "torch")
