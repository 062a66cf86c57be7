"""The Attachment API of the emulated desk: /api/now/attachment.

Called by `router`. Source: ServiceNow's "Attachment API" reference. Metadata are rows of
sys_attachment, so that the query language finds them; the bytes are kept beside.
"""

from dragoman.testing.servicenow import rules
from dragoman.testing.servicenow.api import TableApi
from dragoman.testing.servicenow.instance import Instance
from dragoman.testing.servicenow.wire import Answer, Call, Refusal

_TABLE = "sys_attachment"


class AttachmentApi:
    """Answers calls on attachments: list, read, download, upload one file, delete."""

    def __init__(self, instance: Instance, tables: TableApi) -> None:
        self._instance = instance
        self._tables = tables
        self._files: dict[str, bytes] = {}

    def answer(self, call: Call, parts: list[str]) -> Answer:
        """Answer one call; `parts` are the path segments behind "attachment". Raises Refusal."""
        match call.method, parts:
            case "GET", []:
                return self._tables.answer(call, _TABLE, "")
            case "GET", [sys_id]:
                return self._tables.answer(call, _TABLE, sys_id)
            case "GET", [sys_id, "file"]:
                row = self._instance.find(_TABLE, sys_id)
                return Answer(raw=self._files[sys_id], content_type=row["content_type"])
            case "POST", ["file"]:
                return self._upload(call)
            case "DELETE", [sys_id]:
                answer = self._tables.answer(call, _TABLE, sys_id)
                self._files.pop(sys_id, None)
                return answer
            case _:
                raise Refusal(
                    405, "Method not supported", f"{call.method} is not supported by {call.path}"
                )

    def _upload(self, call: Call) -> Answer:
        if not call.account.may_write:
            raise Refusal(403, "Operation Failed", rules.ACL_INSERT)
        missing = [
            name for name in ("table_name", "table_sys_id", "file_name") if not call.query.get(name)
        ]
        if missing:
            raise Refusal(400, f"Missing query parameter {missing[0]}", None)
        self._instance.find(call.query["table_name"], call.query["table_sys_id"])
        row = self._instance.insert(
            _TABLE,
            {
                "file_name": call.query["file_name"],
                "table_name": call.query["table_name"],
                "table_sys_id": call.query["table_sys_id"],
                "content_type": call.headers.get("Content-Type", "application/octet-stream"),
                "size_bytes": str(len(call.body)),
            },
            call.account,
        )
        self._files[row["sys_id"]] = call.body
        location = f"{call.base}/api/now/v1/attachment/{row['sys_id']}"
        return Answer(status=201, payload={"result": row}, headers={"Location": location})
