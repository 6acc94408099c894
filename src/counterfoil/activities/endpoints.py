"""The right that each address of this room needs."""

from __future__ import annotations

SEE, CHANGE, MAIL = "activities.see", "activities.change", "mail.see"

ENDPOINTS: dict[str, str] = {
    "GET tasks/": SEE,
    "GET tasks/new/": CHANGE,
    "POST tasks/new/": CHANGE,
    "GET tasks/<uuid:task_id>/": SEE,
    "POST tasks/<uuid:task_id>/": CHANGE,
    "POST tasks/<uuid:task_id>/finish/": CHANGE,
    "POST tasks/<uuid:task_id>/reopen/": CHANGE,
    "GET timeline/<str:record_key>/<uuid:record_id>/": SEE,
    "POST timeline/<str:record_key>/<uuid:record_id>/": CHANGE,
    "GET accounts/<uuid:account_id>/tasks/": SEE,
    "GET accounts/<uuid:account_id>/timeline/": SEE,
    "GET mail/": MAIL,
    "GET mail/<uuid:mail_id>/": MAIL,
    "POST mail/<uuid:mail_id>/retry/": CHANGE,
    "GET mail/<uuid:mail_id>/files/<uuid:file_id>/": MAIL,
    "GET api/v1/tasks": SEE,
    "POST api/v1/tasks": CHANGE,
    "GET api/v1/tasks/<uuid:task_id>": SEE,
    "PATCH api/v1/tasks/<uuid:task_id>": CHANGE,
    "POST api/v1/tasks/<uuid:task_id>/finish": CHANGE,
    "POST api/v1/tasks/<uuid:task_id>/reopen": CHANGE,
    "GET api/v1/records/<record_key>/<uuid:record_id>/timeline": SEE,
    "POST api/v1/records/<record_key>/<uuid:record_id>/notes": CHANGE,
    "GET api/v1/mails": MAIL,
    "GET api/v1/mails/<uuid:mail_id>": MAIL,
    "POST api/v1/mails/<uuid:mail_id>/retry": CHANGE,
}
