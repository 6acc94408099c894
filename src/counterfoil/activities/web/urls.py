"""Addresses of tasks, the timeline and mail."""

from __future__ import annotations

from django.urls import path

from counterfoil.activities.web import views

app_name = "activities"

urlpatterns = [
    path("tasks/", views.tasks, name="tasks"),
    path("tasks/new/", views.new_task, name="new_task"),
    path("tasks/<uuid:task_id>/", views.task, name="task"),
    path("tasks/<uuid:task_id>/finish/", views.finish, name="finish"),
    path("tasks/<uuid:task_id>/reopen/", views.reopen, name="reopen"),
    path("timeline/<str:record_key>/<uuid:record_id>/", views.timeline, name="timeline"),
    path("accounts/<uuid:account_id>/tasks/", views.account_tasks, name="account_tasks"),
    path("accounts/<uuid:account_id>/timeline/", views.account_timeline, name="account_timeline"),
    path("mail/", views.mail, name="mail"),
    path("mail/<uuid:mail_id>/", views.one_mail, name="one_mail"),
    path("mail/<uuid:mail_id>/retry/", views.retry, name="retry"),
    path("mail/<uuid:mail_id>/files/<uuid:file_id>/", views.mail_file, name="mail_file"),
]
